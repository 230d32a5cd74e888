"""Distribution of a stage's work over the machines of a Ray cluster.

worker_spec.py         number of workers, and the resources that each needs
connection.py          connection to Ray: a private instance on this machine, or the cluster at RAY_ADDRESS
cluster_membership.py  membership of this machine in the cluster while a stage runs
private_instance.py    start of a private Ray instance on this machine
raylet.py              detection of the end of a raylet, Ray's process on each machine
head_check.py          check that a cluster's head node answers and accepts the token
versions.py            check that every machine has the same versions of libraries
code_copy.py           copy of Hallmark's code for machines that do not share this machine's disk
storage/               storage shared by machines that have no common disk
"""
