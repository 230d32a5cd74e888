"""Questions about data, for people with access to it. Every data access is entered in the ledger first.

access.py            people and roles with access to single records of a source
access_entries.py    ledger entries of data access
disclosure.py        one record or row with the values that its source has
source_row.py        a row, read again from the pinned content of its source
quarantined_rows.py  quarantined rows of a run, with rule and reason
masked_samples.py    samples of masked text
shared_records.py    records that two datasets have in common
inventory.py         sources with their owners, quality and share of the dataset
vault_coverage.py    tokens of a run that the vault does not have
lineage/             index of the datasets that records and people are in
conflicts/           contradictions, shown side by side
planted_defects/     score of the stages on planted defects
"""
