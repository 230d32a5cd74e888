"""The only way to a model for serving.

admission.py    `admit`, the only way to a model for serving
remembered.py   what was admitted last, for when the ledger is away
rolled_back.py  a ledger that ends before what was admitted last
undelivered.py  what was served then, kept to be recorded
"""
