"""Sources of the data, and the personal and secret text in them.

sources.py       inventory of the sources and their suites: sources.yaml, expectations/
locations.py     comparison of locations
protection.py    categories of personal and secret text, and the action on each
vault.py         database of the values that tokens stand for, each value encrypted
vault_keys.py    key of the vault
vault_writer.py  access of stage `ingest` to the vault, which adds values but cannot read any
dataset.py       manifest of a dataset: artefacts/split/manifest.json
"""
