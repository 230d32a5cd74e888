"""Command group `hallmark data`: sources, datasets and single records. One file for each command.

default_run.py  default run of commands about data
"""
