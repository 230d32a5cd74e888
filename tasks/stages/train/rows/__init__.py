"""Rows on their way to the model: as tokens in files, in the order of the steps, and as tensors.

tokenise.py          stage `tokenise`: the training rows as tokens, once for all trainings on them
rendering.py         tokens of one record, with the target marked; windows of a text
special_tokens.py    special tokens in the text of records, which are left out
examples.py          examples as tokens in files that workers map into memory
row_verification.py  verification of every row against the prompts of serving
order.py             rows of each optimizer step
shuffle.py           shuffled order of which any part can be computed alone
passes.py            division of a step's rows into forward passes of workers
batches.py           tensors of a forward pass
"""
