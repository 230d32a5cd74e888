"""Backup of a checkout's state, `.hallmark/`, as one folder. The checkout can be in use while a backup is taken.

contents.py            files of a backup, and its manifest
save.py                taking a backup; files are copied in an order that leaves no dangling references
restore.py             restoring a backup into a checkout that has no state yet
state_verification.py  verification of a state folder: its ledger, heads and releases

A copy of ledger.db made with `cp` is not a backup, because the last entries may still be in the file ledger.db-wal.
"""
