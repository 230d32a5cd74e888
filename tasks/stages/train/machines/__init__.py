"""Workers of a training run, on the machines of a cluster or on this machine.

ray_attempt.py      one attempt: start of the workers, and the errors with which it ends
trainer.py          Ray Train without the actors that Hallmark does not use
worker.py           entry point of each worker: connect to the other workers, then train
worker_capacity.py  number of workers that a cluster has room for
sigterm.py          end of a training run on SIGTERM, after a checkpoint
notice.py           notice of a preemption to the cluster
"""
