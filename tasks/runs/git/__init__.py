"""Git: the repository of a checkout, commits, and the trees and files that they hold.

repository.py   git commands that leave the user's branch, index and files alone
commit_tree.py  whole tree of a commit: allowed contents, digest, comparison with a worktree
"""
