"""Filters of single records, one file each, named for its rule. `tasks/core/params/filters.py` is their table."""
