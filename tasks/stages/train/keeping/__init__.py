"""Where a training keeps its checkpoints, its record and its weights while it runs.

home.py   on the disk that all workers see
away.py   where there is none: each machine has its own, and a storage lies between them
sent.py   on the machine that starts such a training: what is sent off before, and fetched after
"""
