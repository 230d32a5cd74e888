"""Withdrawal of sources by their owners, and its effect on runs and releases.

signed_withdrawal.py  signed statements by which an owner withdraws or restores a source
withdrawals.py        recording of withdrawals, and check whether a source in use is withdrawn
release_sources.py    check whether a source that a release was trained on is withdrawn
"""
