"""Word lists. README.md names the source and licence of each.

lists.py  readers of the word lists
"""
