"""Stages `base_model`, `tokenise` and `train`: fetch a model, fine-tune it, and write an adapter or a whole model.

train.py         stage `train`, from tokens to trained weights; read this one first
base/            stage `base_model`, which fetches, verifies and converts the base model
rows/            stage `tokenise`, which turns rows into tokens; their order and their tensors
preflight/       estimates of memory, time and cost
verification/    verification of a training while it runs
recovery/        checkpoints, and attempts after failures
training_store/  storage of checkpoints, training log and weights during a training
machines/        workers on the machines of a cluster, or on this machine

job.py              parameters and paths that every worker needs
loop.py             training loop of a worker
engine.py           DeepSpeed engine around the model, with its adapter
builders.py         builders of DeepSpeed, Ray and torch objects from parameters
export.py           export of the trained weights as PEFT or Hugging Face folder
workers.py          exchange of values among workers
coordinator.py      coordinator of workers that have no disk in common

target_loss.py        model with a loss over target tokens only
lora_products.py      LoRA layers that add their products in place
packed_mask.py        attention mask of packed rows, made once for all layers
shared_prefix.py      common prefix of the rows in a forward pass, computed once
sequence_parallel.py  forward passes over several workers, for rows too long for one
kernels.py            kernels of the model's layers: PyTorch's, compiled ones, or Liger's

validation.py      loss over the validation rows
early_stopping.py  times of validation, choice of the best weights, and early stopping
log_follower.py    follower of the training log: progress, and points of the curve
points.py          file of these points, which MLflow shows
time_shares.py     wall time of a worker by part
communication.py   measurement of the communication among workers
utilisation.py     utilisation of the devices in a step
device_peak.py     peak operations per second of a device
equipment.py       GPUs, compilers and libraries that a training needs
calibrate.py       measurement of the speed by some training steps
"""
