"""Signed heads of the tree.

heads.py    signed heads of the tree
publish.py  where they go
places/     folder, S3, git remote
"""
