"""Storage of checkpoints, training log and weights during a training.

home.py   storage on a disk that all workers share
away.py   storage on the disks of machines that have none in common, and on a storage between them
sent.py   transfer of model, rows and weights by the machine that starts such a training
"""
