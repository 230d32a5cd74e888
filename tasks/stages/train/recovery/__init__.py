"""A training that outlives its machines.

checkpoints.py  exact resume after a kill
data_alone.py   as one is read, nothing in it is run
resharded.py    a checkpoint of other workers
attempts.py     lost workers, hung ones, too little memory, diverged steps: it goes on
unfit.py        machines that cannot train with the others
divergence.py   a step whose loss is no number, or leapt
watchdog.py     a worker that hangs is ended, and says where it stood
"""
