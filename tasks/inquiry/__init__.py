"""Queries about sources, rows, records and people in the data of runs.

Before a row or a protected value is shown as its source has it, the access is recorded in the ledger.

access.py            rights of people and roles to read single records of a source
access_entries.py    ledger entries of data access
disclosure.py        one record or row with its original values
row_location.py      row in its source of each record in a table
source_row.py        a row, read again from the pinned content of its source
quarantined_rows.py  quarantined rows of a run, with rule and reason
failed_expectations.py  failed expectations, with the rows that violate them
label_findings.py    labels that are not trained or nearly equal another one, with their rows
wrong_answers.py     wrong answers of a run's models to the test rows
masked_samples.py    samples of masked text
shared_records.py    records that two datasets have in common
inventory.py         sources with their owners, quality and contribution to the last dataset
vault_coverage.py    number of a run's tokens that are missing from the vault
lineage/             index of the datasets that contain a record or mention a person
conflicts/           contradictory records, shown side by side
planted_defects/     score of the stages on planted defects
"""
