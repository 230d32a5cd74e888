"""A short look at the ledger, before anything is read from it: whether it can be seen that somebody changed it.

Counts and the tree's end are compared with each other and with the newest head that was signed here. Then some entries
are hashed anew: in a ledger of up to LOOKED_AT blocks all of them, each block held to the head by one path, and those
after the head by the tree; in a longer one the newest block and others drawn by chance, others each time. So an old
entry that was changed shows at once in a short ledger and after some looks in a long one. Nothing is remembered from
look to look, since whoever can write to the ledger could write to that as well. `hallmark ledger verify` (check.py)
looks at everything.
"""

import random
from collections.abc import Iterator

from tasks.core.errors import HallmarkError, Refused
from tasks.ledger.heads import publish
from tasks.ledger.heads.heads import Head
from tasks.ledger.ledger import Ledger
from tasks.ledger.roots import Roots
from tasks.ledger.tree import merkle
from tasks.ledger.tree.merkle import Frontier
from tasks.ledger.tree.subtrees import BLOCK
from tasks.trust.keyholder import Keyholder

LOOKED_AT = 8
"""Blocks of 256 entries, which take some 4 ms each."""


def wrong(ledger: Ledger, keyholder: Keyholder) -> list[str]:
    """What is wrong with the ledger as far as can be seen so soon, in words. Raises Unavailable where it is away."""
    with ledger.reading():
        try:
            return list(_looked(ledger, keyholder))
        except Refused as error:
            return [str(error)]


def _looked(ledger: Ledger, keyholder: Keyholder) -> Iterator[str]:
    tree, last, count = ledger.frontier(), ledger.last(), ledger.count()
    if not tree.size == last == count:
        yield f"it has {count:,} entries, the last is number {last:,}, and its tree is over {tree.size:,}"
        return
    head = publish.newest(keyholder) if _signs(keyholder) else None
    if head and head.size > last:
        yield f"it ends at entry {last:,}, and the newest head signed here has {head.describe()}: its end was cut off"
        return
    if head:
        yield from _under(head, ledger)
    yield from _after(head, tree, ledger)


def _signs(keyholder: Keyholder) -> bool:
    """Whether heads of this installation can be told from others: one that never had the ledger's key signed none."""
    try:
        return bool(publish.signers(keyholder))
    except HallmarkError:
        return False


def _under(head: Head, ledger: Ledger) -> Iterator[str]:
    """Entries under the head: a path that begins in a block is made of every entry of the block."""
    roots, root = Roots(ledger), bytes.fromhex(head.root)
    for block in _drawn((head.size + BLOCK - 1) // BLOCK):
        first = block * BLOCK
        path = merkle.inclusion_path(first, head.size, roots.over)
        if not merkle.includes(root, head.size, roots.over(first, first + 1), first, path):
            until = min(first + BLOCK, head.size)
            yield f"entries {first + 1:,} to {until:,} are not those that the head of {head.describe()} was signed over"


def _drawn(blocks: int) -> list[int]:
    if blocks <= LOOKED_AT:
        return list(range(blocks))
    return [*sorted(random.sample(range(blocks - 1), LOOKED_AT - 1)), blocks - 1]


def _after(head: Head | None, tree: Frontier, ledger: Ledger) -> Iterator[str]:
    """Entries that came since the head, where they are few: with them its tree has to be the one kept beside them."""
    before = head.tree if head else Frontier()
    if tree.size - before.size > LOOKED_AT * BLOCK:
        return
    grown = before
    for row in ledger.rows(before.size, tree.size):
        grown = grown.append(row.leaf_hash())
    if grown != tree:
        yield f"entries {before.size + 1:,} to {tree.size:,} are not those that its tree was made of"
