"""Training methods: how each one trains a base model, and the form of its result.

`tasks/core/params/methods.py` is their table.

method.py  components of a method
lora.py    `lora` and `qlora`: a LoRA adapter, over weights in full precision or in 4 bits
full.py    `full`: all weights
"""
