"""The machines that train.

fitting.py   the workers of one attempt, and what became of them
trainer.py   Ray Train without the helpers that a training has no use for
worker.py    entry point of each worker: connect to the other workers, then train
places.py    how many workers a cluster has room for; a training shrinks and grows with it
leaving.py   the stage is asked to end: a checkpoint first
notice.py    that this machine is taken away, told to the cluster
"""
