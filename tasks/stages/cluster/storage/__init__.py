"""Storage shared by machines that have no common disk.

training_storage.py  client of the storage, which is S3 or a folder that every machine mounts
backends.py          backends of the storage: a folder, and a prefix of a bucket
trees.py             folders in the storage, whose files are named by digest
machine_cache.py     cache of the storage's files on the disk of one machine
"""
