"""Training methods: how each trains a base model, and what its result is.

`tasks/core/params/methods.py` is their table.

method.py  what a method consists of
lora.py    `lora` and `qlora`: a LoRA adapter, over weights in full precision or in 4 bits
full.py    `full`: all weights
"""
