"""Profile of a dataset: counts by which the data gate judges coverage and compares it with the version approved last.

The judge counts the rows itself. The profile stays in the evidence on the ledger, so the reference of a later dataset
is trusted by the digest of that evidence.

profile.py        counts of a dataset by language, department, geography, label and length
reading.py        counting of the rows in the files of a dataset
breaches.py       rows that break the templates of their task
coverage.py       refusals, handovers and questions back that are missing in a segment
required_detectors.py  detectors that policy asks owners for, and the records that none of them reads
shift.py          distance between a dataset and the one approved last, with test and interval
profile_facts.py  metrics of profile, coverage and templates for the checks of the data gate
"""
