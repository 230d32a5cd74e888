"""Execution of stages outside of runs, for sweeps and comparisons. Nothing that they make can be promoted.

source_run.py       run whose rows are used
workspace.py        worktrees with their own state folder, and stored outcomes
stage_execution.py  execution of one stage in such a worktree, in the sandbox of stages
"""
