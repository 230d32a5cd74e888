"""Execution of stages outside of runs, for sweeps and comparisons. Their outputs can never be promoted.

source_run.py       run whose rows are used
workspace.py        worktrees with their own state folder, and stored outcomes of trials
stage_execution.py  execution of one stage in such a worktree, in a sandbox like the stages of a run
"""
