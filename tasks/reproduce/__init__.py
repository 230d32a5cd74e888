"""A release, or a run before its release, built once more, and compared with itself.

original.py   what is built again, with the digest and the record of each stage
rebuild.py    stage by stage, each compared with these
place.py      where: a worktree with a state of its own, so that nothing made before is handed out
obstacles.py  what stands in the way of the same bytes, and what of a stage cannot be built here at all
"""
