"""Quick check of the ledger before anything is read from it.

The number of entries, the last entry and the size of the tree are compared with each other and with the newest head
that was signed on this machine. Then some entries are hashed again. In a ledger of up to BLOCKS_TO_VERIFY blocks, each
block is verified against the head by one inclusion path, and the entries after the head against the tree. In a longer
ledger, the newest block and a random sample of the others are verified. A changed entry is therefore noticed at once in
a short ledger, and after some checks in a long one. No state is stored between two checks, because an attacker who can
write to the ledger could write to that state too. `hallmark ledger verify` (ledger_verification.py) verifies all
entries.
"""

import random
from collections.abc import Iterator, Sequence

from tasks.core.errors import HallmarkError, Refused
from tasks.ledger.heads import publication
from tasks.ledger.heads.heads import Head
from tasks.ledger.ledger import Ledger
from tasks.ledger.roots import LedgerRoots
from tasks.ledger.tree import merkle
from tasks.ledger.tree.merkle import Frontier
from tasks.ledger.tree.subtrees import BLOCK_SIZE
from tasks.trust.ledger_keys import LedgerKeys

BLOCKS_TO_VERIFY = 8
"""Number of blocks that one check verifies. A block of 256 entries takes about 4 ms."""
ADVICE = "run `hallmark ledger verify`, which says all that is wrong, and ask whoever keeps the ledger"
"""Advice for a person who is told that the ledger was changed."""


def require_unchanged(ledger: Ledger, keyholder: LedgerKeys) -> None:
    """Run the quick check before anything is done that relies on the ledger.

    Raises:
        Refused: The ledger was changed.
        Unavailable: The database cannot be reached.
    """
    if problems := find_problems(ledger, keyholder):
        raise changed_error(problems)


def changed_error(problems: Sequence[str]) -> Refused:
    return Refused(f"the ledger was changed by hand, and nothing is done on it: {'; '.join(problems)}. {ADVICE}")


def find_problems(ledger: Ledger, keyholder: LedgerKeys) -> list[str]:
    """Run the quick check, and return the problems that it finds as messages.

    Raises:
        Unavailable: The database cannot be reached.
    """
    try:
        # Before the ledger: a head that another process signs meanwhile may cover entries that `reading` does not see.
        head = publication.newest_head(keyholder) if _has_ledger_keys(keyholder) else None
        with ledger.reading():
            return list(_find_problems(ledger, head))
    except Refused as error:
        return [str(error)]


def _find_problems(ledger: Ledger, head: Head | None) -> Iterator[str]:
    tree, last, count = ledger.frontier(), ledger.last_seq(), ledger.count_entries()
    if not tree.size == last == count:
        yield f"it has {count:,} entries, the last is number {last:,}, and its tree is over {tree.size:,}"
        return
    if head and head.size > last:
        yield f"it ends at entry {last:,}, and the newest head signed here has {head.describe()}: its end was cut off"
        return
    if head:
        yield from _find_changes_under_head(head, ledger)
    yield from _find_changes_after_head(head, tree, ledger)


def _has_ledger_keys(keyholder: LedgerKeys) -> bool:
    try:
        return bool(publication.ledger_keys(keyholder))
    except HallmarkError:
        return False


def _find_changes_under_head(head: Head, ledger: Ledger) -> Iterator[str]:
    """Yield a message for each sampled block under the head in which an entry was changed.

    One inclusion path for each block suffices, because the path of a block's first entry depends on the whole block.
    """
    roots, root = LedgerRoots(ledger), bytes.fromhex(head.root)
    for block in _sample_blocks((head.size + BLOCK_SIZE - 1) // BLOCK_SIZE):
        first = block * BLOCK_SIZE
        path = merkle.inclusion_path(first, head.size, roots.range_root)
        if not merkle.verify_inclusion(root, head.size, roots.range_root(first, first + 1), first, path):
            until = min(first + BLOCK_SIZE, head.size)
            yield f"entries {first + 1:,} to {until:,} are not those that the head of {head.describe()} was signed over"


def _sample_blocks(blocks: int) -> list[int]:
    if blocks <= BLOCKS_TO_VERIFY:
        return list(range(blocks))
    return [*sorted(random.sample(range(blocks - 1), BLOCKS_TO_VERIFY - 1)), blocks - 1]


def _find_changes_after_head(head: Head | None, tree: Frontier, ledger: Ledger) -> Iterator[str]:
    """Yield a message if an entry after the head was changed.

    The entries are appended to the head's tree, and the result is compared with the stored tree. If there are too many
    entries after the head, they are not checked.
    """
    before = head.tree if head else Frontier()
    if tree.size - before.size > BLOCKS_TO_VERIFY * BLOCK_SIZE:
        return
    grown = before
    for row in ledger.rows(before.size, tree.size):
        grown = grown.append(row.leaf_hash())
    if grown != tree:
        yield f"entries {before.size + 1:,} to {tree.size:,} are not those that its tree was made of"
