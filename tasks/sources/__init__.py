"""Sources of the data, and the personal and secret text in them.

sources.py                inventory of the sources: sources.yaml
column_mapping.py         mapping of a source's columns to the fields of a record
conversation_mapping.py   mapping of single messages to conversations
expectation_suites.py     suites of expectations that sources.yaml names: expectations/
resolved_sources.py       sources as they were resolved for a run: inputs/sources.json
location_variables.py     environment variables in the locations of sources
locations.py              comparison of the locations of sources
source_places.py          files and databases in which sources are
protection.py             categories of personal and secret text, and the action on each
owner_detectors.py        detectors of personal data that the owner of a source adds to Hallmark's recognisers
vault.py                  encrypted database of the values that tokens stand for
vault_keys.py             key of the vault, and the keys derived from it
vault_writer.py           access of stage `ingest` to the vault: the stage can add values but not read them
suppression_digests.py    digests by which `ingest` recognises people who are to be forgotten
dataset.py                manifest of a dataset: artefacts/split/manifest.json
"""
