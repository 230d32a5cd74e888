"""Check of the ledger against its newest signed head, before anything is read from it or done because of it.

The number of entries, the last entry and the size of the tree are compared with each other and with the newest signed
head. Then entries are hashed again: each block is verified against the head by one inclusion path, and the entries
after the head against the tree. The quick check, before a command shows something, verifies at most BLOCKS_TO_VERIFY
blocks. In a longer ledger, these are the newest block and a random sample of the others, so that a changed entry is
noticed after some checks. Before something is done, every entry is verified, and that no index hides one from a reader
(access_paths.py).

The head of the quick check is the newest one that was signed on this machine. Before something is done, it is the
newest one of this machine and of the configured places. No state is stored between two checks, because an attacker who
can write to the ledger could write to that state too. `hallmark ledger verify` (ledger_verification.py) also verifies
documents and every head.
"""

import random
from collections.abc import Iterable, Iterator, Sequence

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
"""Maximum number of blocks that the quick check verifies. A block of 256 entries takes about 4 ms."""
ADVICE = "run `hallmark ledger verify`, which says all that is wrong, and ask whoever keeps the ledger"
"""Advice for a person who is told that the ledger was changed."""


def require_unchanged(
    ledger: Ledger, keyholder: LedgerKeys, every_entry: bool = True, search_places: bool = True
) -> None:
    """Raise an error if the ledger was changed. Call this before anything is done because of the ledger.

    The arguments are those of `find_problems`.

    Raises:
        Refused: The ledger was changed.
        Unavailable: The database cannot be reached.
    """
    if problems := find_problems(ledger, keyholder, every_entry, search_places and every_entry):
        raise changed_error(problems)


def changed_error(problems: Sequence[str]) -> Refused:
    return Refused(f"{problem_message('; '.join(problems))}. So nothing is done on it; {ADVICE}")


def problem_message(problem: str) -> str:
    return f"the ledger was changed by hand: {problem}"


def find_problems(
    ledger: Ledger, keyholder: LedgerKeys, every_entry: bool = False, search_places: bool = False
) -> list[str]:
    """Check the ledger, and return the problems that are found as messages.

    Args:
        ledger: Ledger to check.
        keyholder: Holder of the ledger's public keys.
        every_entry: Whether to verify every entry, rather than a sample of a long ledger.
        search_places: Whether to ask the configured places for heads, too.

    Raises:
        Unavailable: The database or the folder of heads cannot be read.
    """
    try:
        # Read the head first: one that another process signs later can cover entries that the transaction does not see.
        head = _newest_known_head(keyholder, search_places) if _has_ledger_keys(keyholder) else None
        with ledger.reading():
            return list(_find_problems(ledger, head, every_entry))
    except Refused as error:
        return [str(error)]


def _newest_known_head(keyholder: LedgerKeys, search_places: bool) -> Head | None:
    known = [publication.newest_head(keyholder)]
    if search_places:
        known.append(publication.newest_head_in_places(keyholder))
    return max(filter(None, known), key=lambda head: head.size, default=None)


def _find_problems(ledger: Ledger, head: Head | None, every_entry: bool) -> Iterator[str]:
    if every_entry:
        yield from ledger.access_problems()
    tree, last, count = ledger.frontier(), ledger.last_seq(), ledger.count_entries()
    if not tree.size == last == count:
        yield f"it has {count:,} entries, the last is number {last:,}, and its tree is over {tree.size:,}"
        return
    if head and head.size > last:
        yield f"it ends at entry {last:,}, and the newest signed head has {head.describe()}: its end was cut off"
        return
    if head:
        blocks = (head.size + BLOCK_SIZE - 1) // BLOCK_SIZE
        yield from _find_changes_under_head(head, ledger, range(blocks) if every_entry else _sample_blocks(blocks))
    if every_entry or tree.size - (head.size if head else 0) <= BLOCKS_TO_VERIFY * BLOCK_SIZE:
        yield from _find_changes_after_head(head, tree, ledger)


def _has_ledger_keys(keyholder: LedgerKeys) -> bool:
    try:
        return bool(publication.ledger_keys(keyholder))
    except HallmarkError:
        return False


def _find_changes_under_head(head: Head, ledger: Ledger, blocks: Iterable[int]) -> Iterator[str]:
    """Yield a message for each of the given blocks in which an entry under the head was changed.

    One inclusion path for each block suffices, because the path of a block's first entry depends on the whole block.
    """
    roots, root = LedgerRoots(ledger), bytes.fromhex(head.root)
    for block in blocks:
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

    The entries are appended to the head's tree, and the result is compared with the stored tree.
    """
    before = head.tree if head else Frontier()
    grown = before
    for row in ledger.rows(before.size, tree.size):
        grown = grown.append(row.leaf_hash())
    if grown != tree:
        yield f"entries {before.size + 1:,} to {tree.size:,} are not those that its tree was made of"
