"""Storage between machines that have no disk in common.

training_storage.py  client of the storage, which is S3 or a folder that every machine mounts
backends.py          backends of the storage: a folder, and a prefix of a bucket
trees.py             folders in the storage, whose files are named by digest
machine_cache.py     cache of the storage on the disk of a machine of the cluster
"""
