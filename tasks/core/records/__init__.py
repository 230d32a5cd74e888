"""Records: their tables, chat turns, texts and labels.

record.py        Arrow schemas of records and quarantine, reading and writing of Parquet tables
synthetic.py     provenance of synthetic records, and their descendants
answer_label.py  label of a target or answer, for data stages and evaluation
prompts.py       rendering of a record as chat turns
set_aside.py     rows of the training table that no training step uses
texts.py         splitting of plain texts into windows of tokens, for continued pretraining
"""
