"""Storage of checkpoints, training log and weights during a training.

shared_disk.py     storage on a disk that all workers share
separate_disks.py  storage on the disks of machines that have none in common, and on a storage between them
transfer.py        transfer of model, rows and weights by the machine that starts such a training
"""
