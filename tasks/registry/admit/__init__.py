"""Admission of a release to serving.

admission.py        `admit`, which verifies the release in production before a server loads it
last_admission.py   last admission on this machine, for use while the ledger is unavailable
ledger_rollback.py  detection of a ledger that lacks the promotion that was last admitted
served_files.py     files that a server uses, verified in the read whose result is used
outbox.py           admission records that are stored in files until the ledger is available
"""
