"""Questions about data, for people with access to it. Every data access is entered in the ledger first.

access.py           people and roles with access to single records of a source
looks.py            ledger entries of data access
disclose.py         one record or row with the values that its source has
reread.py           a row, read again from the pinned content of its source
put_aside.py        quarantined rows of a run, with rule and reason
masked.py           samples of masked text
records_changed.py  records that two datasets have in common
inventory.py        sources with their owners, quality and share of the dataset
vaulted.py          tokens of a run that the vault does not have
lineage/            index of the datasets that records and people are in
conflicts/          contradictions, shown side by side
planted/            score of the stages on planted defects
"""
