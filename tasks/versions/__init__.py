"""Versions of the code: who has looked at what a commit holds and signed that governed runs may be made of it.

signed_version.py  what they sign
versions.py        signing, taking back, and whether a version counts
"""
