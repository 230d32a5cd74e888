"""Stored roots of full subtrees. With them a proof reads a few hundred entries, however long the ledger is.

The root over every BLOCK_SIZE entries is stored, over every two such blocks, every four and so on, each when its last
entry is appended. All roots can be computed from the entries. No verification trusts them: a proof made from wrong
roots does not match the signed head, and `hallmark ledger verify` compares each root with the entries. Missing roots
are computed (tasks/ledger/roots.py).
"""

from typing import NamedTuple

from tasks.ledger.tree.merkle import Frontier, node_hash

BLOCK_SIZE = 256
"""Number of leaves of the smallest stored subtree, a power of two. With a larger number, a proof reads more entries."""


class Subtree(NamedTuple):
    stop: int
    size: int
    root: bytes


def completed_subtrees(before: Frontier, leaf: bytes) -> list[Subtree]:
    """Return the subtrees of at least BLOCK_SIZE leaves that become complete when `leaf` is appended to a tree."""
    stop, size, root = before.size + 1, 1, leaf
    if stop % BLOCK_SIZE:
        return []
    subtrees = []
    for left in reversed(before.peaks):
        if stop % (2 * size):
            break
        root, size = node_hash(left, root), 2 * size
        if size >= BLOCK_SIZE:
            subtrees.append(Subtree(stop, size, root))
    return subtrees
