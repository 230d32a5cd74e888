"""Stages `base_model`, `tokenise` and `train`: fetch a model, fine-tune it, leave an adapter or a whole model.

base/           stage: the model, fetched, verified and converted
rows/           stage: the rows as tokens; then their order, and how they lie in tensors

preflight/      does it fit, how long does it take, what does it cost
proof/          what is shown to be right before a training counts

train.py        stage: from rows to an adapter; read this one first
builders.py     the only place that turns parameters into objects of PEFT, DeepSpeed and Ray
handling.py     how each training method prepares a model and writes its weights
target_loss.py  the model with its loss on the target alone, nothing computed that the loss does not need
job.py          what a worker needs
versions.py     of libraries, the same on every machine
loop.py         what every worker does: steps, checkpoints, the record of the curve
checkpoints.py  exact resume after a kill
export.py       the trained weights as PEFT or Hugging Face folder, the same bytes every time
resharded.py    a checkpoint of other workers
attempts.py     lost workers, hung ones, too little memory: it goes on
watchdog.py     a worker that hangs is ended, and says where it stood
cluster.py      Ray: a private one on this machine, or the one at RAY_ADDRESS
head.py         whether the head of a cluster answers, and takes our token
watch.py        follows the record while it grows: progress lines, tracking
tracking.py     MLflow; where it is away, training goes on
"""
