"""What a training keeps while it runs, and where.

home.py     on the disk that all workers see
away.py     where there is none: each machine has its own, and a storage is between them
trees.py    a folder as digests of its files, which lie in the storage under these names
place.py    the storage: S3, or a folder that every machine mounts
node.py     what a machine of the cluster keeps of it on its own disk
desk.py     on the machine that starts the training: the record, and which checkpoints are whole
sent.py     there as well: what is sent off before a training, and fetched after it
"""
