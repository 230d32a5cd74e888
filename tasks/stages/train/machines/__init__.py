"""The machines that train.

cluster.py   Ray: a private one on this machine, or the one at RAY_ADDRESS
head.py      whether the head of a cluster answers, and takes our token
"""
