"""Stages of data, from sources to a training and a test set, one folder each and in this order.

    ingest/           sources to records
    clean/            removal of records that a filter rules out: texts too short or too long, and more
    deduplicate/      removal of duplicates, older editions, contradictions and copies of fixed test records
    validate/         results of the owners' expectation suites
    split/            training and test sets without a common or near-identical prompt
    readers/          content and rows of a source, one file a format
    protect/          recognition and replacement of personal and secret text
    text.py           normalisation and repair of texts
    conversations.py  operations on the turns of many records at once
    quarantine.py     records that a stage removed, and counts that add up

No record is dropped: each stage writes those that it removes to quarantine.parquet, with rule and reason.
"""
