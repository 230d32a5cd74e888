"""The machines that train.

cluster.py   Ray: a private one on this machine, or the one at RAY_ADDRESS
member.py    this machine as one of the cluster's, for as long as a training runs
places.py    how many workers a cluster has room for; a training shrinks and grows with it
notice.py    that this machine is taken away, told to the cluster
head.py      whether the head of a cluster answers, and takes our token
"""
