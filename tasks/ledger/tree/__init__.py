"""Merkle tree of RFC 9162.

merkle.py    hashes and proofs
subtrees.py  roots that are stored beside the entries
"""
