"""Work that is spread over the machines of a Ray cluster, whichever stage's it is.

crew.py        the workers: how many, and what each takes of a machine
connection.py  Ray: a private one on this machine, or the one at RAY_ADDRESS
member.py      this machine as one of the cluster's, for as long as a stage runs
raylet.py      what is said where Ray's process on this machine ends
head.py        whether the head of a cluster answers, and takes our token
versions.py    of libraries, the same on every machine
code.py        Hallmark's own code, for machines that do not see this one's disk
storage/       what lies between machines without a common disk
"""
