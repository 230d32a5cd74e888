"""Reproduction of a release, or of a run before its release: it is built again and compared with the original.

original.py      release or run to reproduce, with the digest and the record of each stage
reproduction.py  reproduction, stage by stage
worktree.py      worktree for the reproduction, with its own empty state folder
obstacles.py     reasons why outputs may differ, or why a stage cannot be built on this machine
"""
