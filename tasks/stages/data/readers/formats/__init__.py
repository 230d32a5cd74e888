"""Readers of sources. Each file has one reader and is named for its kind of source.

`tasks/core/steps/kinds.py` lists the kinds.
"""
