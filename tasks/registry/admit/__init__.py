"""Admission of a release to serving.

admission.py    `admit`, which verifies the release in production before a server loads it
remembered.py   last admission on this machine, for use while the ledger is unavailable
rolled_back.py  detection of a ledger that lacks the promotion which was admitted last
undelivered.py  admission records that wait in files until the ledger is available
"""
