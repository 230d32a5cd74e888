"""The Merkle tree of RFC 9162.

merkle.py    hashing and proofs
subtrees.py  roots that are kept beside the entries
"""
