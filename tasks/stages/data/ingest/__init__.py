"""Stage `ingest`, which turns the rows of sources into records and protects personal and secret text.

ingest.py   the stage
kept.py     cache of each source's tables between runs
reading.py  reading of one source
intake.py   mapping and protection of a batch of rows
mapping.py  mapping of a row to a record, or to the reason why it cannot be one
pool.py     pool of processes for batches, with results in order
"""
