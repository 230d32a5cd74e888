"""What the data comes from, and what of it is about people.

sources.py       the inventory of sources and their suites: sources.yaml, expectations/
places.py        whether two locations are one place
protection.py    classes of personal and secret text, and what is done with each
vault.py         what tokens stand for, encrypted value by value
vault_keys.py    its key
vault_writer.py  what stage `ingest` may ask of it
dataset.py       what a dataset is made of: artefacts/split/manifest.json
"""
