"""Storage of checkpoints, training log and weights during a training run.

shared_disk.py     storage on a disk that all workers share
separate_disks.py  storage for machines without a common disk: their own disks, and the training storage between them
transfer.py        transfer of model, rows and weights by the machine that starts the training run
"""
