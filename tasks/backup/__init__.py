"""The state of a checkout, `.hallmark/`, as one folder that can be put back: taken while it is in use.

contents.py  what is in a backup, and its manifest
save.py      take one: databases by SQLite's own copy, the rest in an order that leaves nothing pointing nowhere
restore.py   put one back into a checkout that has no state yet
judge.py     whether a state holds: its ledger under its heads, its releases

A copy of ledger.db made by `cp` is no backup: what was recorded last lies in ledger.db-wal beside it.
"""
