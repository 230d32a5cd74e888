"""Owners give their sources, and may take them back.

signed_withdrawal.py  an owner takes back a source
withdrawals.py        what holds a withdrawn source from going further
consent.py            whether the owners of the sources of a release still give them
"""
