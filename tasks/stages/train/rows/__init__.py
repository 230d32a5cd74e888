"""Rows of a training run: their conversion into tokens by stage `tokenise`, their order, and their tensors.

tokenise.py          entry point of the stage, which turns the training rows into tokens
examples.py          examples as tokens in files that workers map into memory
row_verification.py  verification of every row against the prompts of serving
order.py             rows of each optimizer step
shuffle.py           shuffled order, any part of which can be computed separately
forward_passes.py    division of a step's rows into forward passes of workers
batches.py           tensors of a forward pass
"""
