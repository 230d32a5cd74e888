"""What is checked at a gate.

checks.py   the checks: policy's, those of every tier, the use case's own metrics
purpose.py  what the use case is for, and whether its sources are approved for that
bar.py      whether its metrics ask less than those of the version adopted last
change.py   how a dataset differs from the one approved before
"""
