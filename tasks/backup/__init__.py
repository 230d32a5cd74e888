"""Backup of a checkout's state, `.hallmark/`, as one folder. It is taken while the checkout is in use.

contents.py            files of a backup, and its manifest
save.py                taking a backup, with copies in an order that leaves no reference without its target
restore.py             restoring a backup into a checkout that has no state yet
state_verification.py  verification of a state: ledger, heads and releases

A copy of ledger.db made with `cp` is not a backup, because the last entries are in the file ledger.db-wal.
"""
