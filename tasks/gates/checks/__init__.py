"""Checks of a gate, and the purposes and datasets that they compare.

checks.py        checks: those of policy, those of every tier, and the use case's own success metrics
purpose.py       purpose of a use case, and whether its sources are approved for it
dataset_diff.py  differences between a dataset and the one approved before it
"""
