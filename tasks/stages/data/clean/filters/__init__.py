"""Filters of single records. Each file has one filter and is named for its rule.

`tasks/core/params/filters.py` lists the filters with their parameters.
"""
