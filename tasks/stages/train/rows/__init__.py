"""Stage `tokenise`: conversion of rows into tokens. Also the order of rows in training, and their tensors.

tokenise.py          entry point of the stage, which turns the training rows into tokens
rendering.py         tokens of one record, with the target marked; windows of a plain text
special_tokens.py    special tokens in the text of records, which are left out
examples.py          examples as tokens in files that workers map into memory
row_verification.py  verification of every row against the prompts of serving
order.py             rows of each optimizer step
shuffle.py           shuffled order of which any part can be computed separately
passes.py            division of a step's rows into forward passes of workers
batches.py           tensors of a forward pass
"""
