"""Execution of stages outside of runs, for sweeps and comparisons. Nothing that they make can be promoted.

source.py  run whose rows are used
place.py   worktrees with their own state folder, and stored outcomes
work.py    execution of one stage in such a worktree, in the sandbox of stages
"""
