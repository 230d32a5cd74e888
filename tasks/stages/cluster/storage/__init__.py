"""What lies between machines that have no disk in common.

place.py    the storage: S3, or a folder that every machine mounts
trees.py    a folder as digests of its files, which lie in the storage under these names
node.py     what a machine of the cluster keeps of it on its own disk
"""
