"""Stage `ingest`: sources to records, protected on the way.

ingest.py   the stage
kept.py     what was made of a source that has not changed since
reading.py  one source, read
intake.py   a batch of rows as records, or why not
mapping.py  a row as a record, or why it cannot be one
pool.py     batches on several processes, results in order
"""
