"""Stages `base_model`, `tokenise` and `train`: fetch a model, fine-tune it, and write an adapter or a full model.

train.py         stage `train`, from tokens to trained weights; read this one first
base/            stage `base_model`, which fetches, verifies and converts the base model
rows/            stage `tokenise`, which turns rows into tokens; order of the rows, and their tensors
preflight/       estimates of memory, time and cost
verification/    verification of a training run while it runs
recovery/        checkpoints, and new attempts after failures
training_store/  storage of checkpoints, training log and weights during a training run
machines/        workers on the machines of a cluster, or on this machine
model/           adapters, kernels, loss, passes, engine and export of the model
measurement/     time, communication and utilisation of a training run

job.py          parameters and paths that every worker needs
loop.py         training loop of a worker
workers.py      exchange of values between workers
coordinator.py  coordinator of workers whose machines have no disk in common

validation.py      loss over the validation rows
early_stopping.py  schedule of validations, choice of the best weights, and early stopping
log_follower.py    follower of the training log: progress, and points of the training curve
curve_points.py    file with the points of the training curve, which MLflow shows
calibrate.py       measurement of the training speed with a few steps
"""
