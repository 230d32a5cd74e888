"""Training methods: how each trains a base model, and what its result is. Their table is `../methods.py`.

method.py  what a method consists of
lora.py    `lora` and `qlora`: a LoRA adapter, over weights in full precision or in 4 bits
full.py    `full`: all weights
"""
