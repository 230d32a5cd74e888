"""Records: their tables, chat turns, texts and labels.

record.py          Arrow schemas of records and quarantine, reading and writing of Parquet tables
synthetic.py       provenance of synthetic records, and their descendants
answer_label.py    label of a target or answer, for data stages and evaluation
prompts.py         rendering of a record as chat turns
texts.py           splitting of plain texts into windows of tokens, for continued pretraining
rendering.py       tokens of one record, with the target marked; windows of a plain text
special_tokens.py  special tokens in the text of records; such records are not trained on
canaries.py        made-up records with a secret, by which evaluation measures what a model memorises
set_aside.py       rows of the training table that no training step uses
"""
