"""Roots of full subtrees, kept beside the entries: with them a proof reads some hundred entries of however many.

Kept is the root over every BLOCK entries, over every two such blocks, every four and so on, each when its last entry is
appended. All of them follow from the entries. Nothing is believed for standing there: a proof made of wrong ones does
not hold under the signed head, and `hallmark ledger verify` compares each with the entries. One that is not there is
computed (`roots`).
"""

from typing import NamedTuple

from tasks.ledger.tree.merkle import Frontier, node_hash

BLOCK = 256
"""The smallest subtree that is kept, a power of two. With a larger one fewer are, and a proof reads more entries."""


class Subtree(NamedTuple):
    stop: int
    """Number of its last entry."""
    size: int
    """How many entries it is over, a power of two."""
    root: bytes


def finished(before: Frontier, leaf: bytes) -> list[Subtree]:
    """Those to keep that end with this leaf, appended to that tree."""
    stop, size, root = before.size + 1, 1, leaf
    if stop % BLOCK:
        return []
    subtrees = []
    for left in reversed(before.peaks):
        if stop % (2 * size):
            break
        root, size = node_hash(left, root), 2 * size
        if size >= BLOCK:
            subtrees.append(Subtree(stop, size, root))
    return subtrees
