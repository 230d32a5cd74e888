"""Stages `base_model`, `tokenise` and `train`: fetch a model, fine-tune it, and write an adapter or a whole model.

train.py         stage `train`, from tokens to trained weights; read this one first
base/            stage `base_model`, which fetches, verifies and converts the base model
rows/            stage `tokenise`, which turns rows into tokens; their order and their tensors
preflight/       estimates of memory, time and cost
verification/    verification of a training while it runs
recovery/        checkpoints, and attempts after failures
training_store/  storage of checkpoints, training log and weights during a training
machines/        workers on the machines of a cluster, or on this machine
model/           adapters, kernels, loss, passes, engine and export of the model
measurement/     time, communication, utilisation and speed of a training

job.py          parameters and paths that every worker needs
loop.py         training loop of a worker
workers.py      exchange of values among workers
coordinator.py  coordinator of workers that have no disk in common

validation.py      loss over the validation rows
early_stopping.py  times of validation, choice of the best weights, and early stopping
log_follower.py    follower of the training log: progress, and points of the curve
points.py          file of these points, which MLflow shows
calibrate.py       measurement of the speed by some training steps
"""
