"""Training methods: the way in which each one trains a base model, and the form of its result.

The table of all methods is in `tasks/core/params/methods.py`.

method.py  classes that describe a method
lora.py    `lora` and `qlora`: a LoRA adapter on weights in full precision or in 4 bits
full.py    `full`: all weights
"""
