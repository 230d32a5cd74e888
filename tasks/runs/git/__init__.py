"""Git: the repository of a checkout, its commits, and their trees and files.

repository.py   git commands that leave the user's branch, index and files unchanged
commit_tree.py  tree of a commit: allowed contents, digest, comparison with a worktree
"""
