"""A release built once more, and compared with itself.

rebuild.py    stage by stage, each compared with the digest that the release's manifest states
place.py      where: a worktree with a state of its own, so that nothing made before is handed out
obstacles.py  what stands in the way of the same bytes, and what of a stage cannot be built here at all
"""
