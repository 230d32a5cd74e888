"""Workers of a training, on the machines of a cluster or on this machine.

fitting.py   one attempt: start of the workers, and the errors with which it ends
trainer.py   Ray Train without the helpers that a training has no use for
worker.py    entry point of each worker: connect to the other workers, then train
places.py    number of workers that a cluster has room for
leaving.py   end of a training on SIGTERM, after a checkpoint
notice.py    notice of a preemption to the cluster
"""
