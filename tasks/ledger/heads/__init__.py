"""Signed heads of the ledger's tree, and their publication.

heads.py        signed heads: their format, signing and verification
publication.py  signing of the next head, and its publication
places/         places of publication: folder, S3, git remote
"""
