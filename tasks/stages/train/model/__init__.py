"""The model during training: adapters, kernels, loss, attention, engine and export.

engine.py             DeepSpeed engine around the model, with its adapter
builders.py           builders of DeepSpeed, Ray and torch objects from parameters
export.py             export of the trained weights as a PEFT or Hugging Face folder
target_loss.py        model with a loss over target tokens only
lora_products.py      LoRA layers that add their products in place
packed_mask.py        attention mask of packed rows, computed once for all layers
shared_prefix.py      common prefix of the rows in a forward pass, computed once
sequence_parallel.py  forward passes over several workers, for rows too long for one worker
kernels.py            kernels of the model's layers: PyTorch's, compiled ones, or Liger's
machine_requirements.py GPUs, compilers and libraries that a training run needs
"""
