"""Data stages, which turn sources into a training and a test set. Each has a folder; they run in this order.

    ingest/           conversion of sources to records
    clean/            removal of records that a filter rejects, such as texts that are too short or too long
    deduplicate/      removal of duplicates, older editions, contradictions and copies of fixed test records
    validate/         evaluation of the owners' expectation suites
    split/            division into training and test sets without a common or near-identical prompt

Folders and files that several stages use:

    readers/          content and rows of a source, one file for each format
    protect/          recognition and replacement of personal and secret text
    text.py           normalisation and repair of texts
    conversations.py  operations on the turns of many records at once
    edit_distance.py  number of changed letters between two short texts
    record_labels.py  labels of many records at once
    similar_labels.py pairs of labels of which one is probably a misspelling of the other
    quarantine.py     table of the records that a stage removed, and counts that must add up

No record is lost: each stage writes the records that it removes to quarantine.parquet, with rule and reason.
"""
