"""Rows on their way to the model: as tokens in files, in the order of the steps, as tensors.

tokenise.py   stage: the training rows as tokens, once for all trainings on them
rendering.py  one record as tokens, with the target marked by the tokenizer's own template; a text in windows
signs.py      signs of the tokenizer in somebody's words: such records are left out
examples.py   many of them in files that workers read where they need them
proof.py      every row in the files, against what serving will ask
order.py      the rows of each optimizer step
shuffle.py    any place of a shuffled order, without the order
passes.py     a step's rows over workers and forward passes
batches.py    the rows of one forward pass as tensors
"""
