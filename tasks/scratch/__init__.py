"""Stages that are tried outside of runs: what they make can never be promoted.

source.py  whose rows are tried on
place.py   worktrees with a state of their own, and what is kept of them
work.py    one stage in such a worktree, in the sandbox of stages
"""
