"""Readers, one file each, named for the kind of source. `tasks/core/steps/kinds.py` is their table."""
