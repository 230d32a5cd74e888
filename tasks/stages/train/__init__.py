"""Stages `base_model`, `tokenise` and `train`: fetch a model, fine-tune it, leave an adapter or a whole model.

base/           stage: the model, fetched, verified and converted
rows/           stage: the rows as tokens; then their order, and how they lie in tensors
preflight/      does it fit, how long does it take, what does it cost
proof/          what is shown to be right before a training counts
recovery/       checkpoints, and what outlives lost machines
keeping/        where checkpoints, record and weights lie while it trains
machines/       those that train

train.py        stage: from tokens to an adapter; read this one first
builders.py     the only place that turns parameters into objects of PEFT, DeepSpeed and Ray
handling.py     how each training method prepares a model and writes its weights
lora_products.py  the products of a layer with LoRA, added up where they are made
equipment.py    what it needs of a machine besides room
kernels.py      how layers are computed: by PyTorch, compiled, or by Liger
target_loss.py  the model with its loss on the target alone, nothing computed that the loss does not need
masks.py        the mask of packed rows, made once for all layers
prefix.py       what the rows of a pass begin with, computed once
sequence.py     a pass over several workers, for rows too long for one
job.py          what a worker needs
workers.py      what workers know of each other
desk.py         whom workers without a common disk tell: the record, and which checkpoints are whole
engine.py       the model inside a DeepSpeed engine
loop.py         what every worker does: steps, checkpoints, the record of the curve
validation.py   the loss over rows that no step learns from
early_stopping.py  when they are looked at, which look was best, when to stop
export.py       the trained weights as PEFT or Hugging Face folder, the same bytes every time
shares.py       where the wall time goes
exchange.py     what workers exchange, which takes a share of its own
effort.py       what a step took of the devices: fill, and model FLOPs utilisation
devices.py      what a device can do at most
calibrate.py    some steps before a training is asked for, to know how fast it is
watch.py        follows the record while it grows: progress lines, points of the curve
points.py       these points, which are shown in MLflow
"""
