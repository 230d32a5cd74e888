"""Quick check of the ledger before anything is read from it.

The number of entries, the last entry and the size of the tree are compared with each other and with the newest head
that was signed here. Then some entries are hashed again. In a ledger of up to LOOKED_AT blocks, each block is verified
against the head by one inclusion path, and the entries after the head against the tree. In a longer ledger, the newest
block and a random sample of the others are verified. So a changed entry is noticed at once in a short ledger, and after
some checks in a long one. No state is stored between two checks, since an attacker who can write to the ledger could
write to that state too. `hallmark ledger verify` (check.py) verifies all entries.
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
"""Number of blocks that are verified. A block of 256 entries takes about 4 ms."""


def wrong(ledger: Ledger, keyholder: Keyholder) -> list[str]:
    """Return what this check finds wrong with the ledger, in words.

    Raises:
        Unavailable: The database cannot be reached.
    """
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
    """Return whether this installation can verify heads. One that never had the ledger's key has signed none."""
    try:
        return bool(publish.signers(keyholder))
    except HallmarkError:
        return False


def _under(head: Head, ledger: Ledger) -> Iterator[str]:
    """Verify entries under the head. The inclusion path of a block's first entry depends on the whole block."""
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
    """Verify the entries after the head, if they are few: appended to the head's tree they give the stored tree."""
    before = head.tree if head else Frontier()
    if tree.size - before.size > LOOKED_AT * BLOCK:
        return
    grown = before
    for row in ledger.rows(before.size, tree.size):
        grown = grown.append(row.leaf_hash())
    if grown != tree:
        yield f"entries {before.size + 1:,} to {tree.size:,} are not those that its tree was made of"
