"""Stage `ingest`, which turns the rows of sources into records and protects personal and secret text.

ingest.py           the stage
source_cache.py     cache of each source's tables between runs
source_reader.py    reading of one source
batch_processor.py  mapping and protection of a batch of rows
mapping.py          mapping of a row to a record, or to the reason why it cannot be one
conversation_turns.py  turns of a conversation, made of its messages
provenance.py       generator, prompt and parents of a synthetic row
jailbreaks.py       well-known forms of jailbreaks, by which synthetic rows are rejected
parents.py          parents of synthetic records, across sources
inherited_subjects.py  people that synthetic records are about through their parents
pool.py             pool of processes for batches, with results in order
"""
