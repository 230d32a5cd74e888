"""Roots over ranges of a ledger's entries, for proofs. Stored roots are read (tree/subtrees.py), others computed."""

from functools import lru_cache

from tasks.core.errors import Refused
from tasks.ledger.ledger import Ledger
from tasks.ledger.tree.merkle import largest_power_of_two_below, node_hash, tree_hash
from tasks.ledger.tree.subtrees import BLOCK_SIZE

CACHED_BLOCKS = 64


class LedgerRoots:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.range_root = lru_cache(maxsize=None)(self._compute_range_root)
        self._block = lru_cache(maxsize=CACHED_BLOCKS)(self._read_block)

    def _compute_range_root(self, start: int, stop: int) -> bytes:
        """Return the root hash over entries `start + 1` to `stop`.

        The range must be a subtree of the tree, so a range of up to BLOCK_SIZE entries lies within one block.

        Raises:
            Refused: An entry is missing.
        """
        size = stop - start
        if size >= BLOCK_SIZE and size.bit_count() == 1:
            kept = self._ledger.subtree_root(stop, size)
            if kept is not None:
                return kept
        if size <= BLOCK_SIZE:
            return tree_hash(self._leaf_hash(seq) for seq in range(start + 1, stop + 1))
        middle = start + largest_power_of_two_below(size)
        return node_hash(self.range_root(start, middle), self.range_root(middle, stop))

    def _leaf_hash(self, seq: int) -> bytes:
        leaf = self._block((seq - 1) // BLOCK_SIZE).get(seq)
        if leaf is None:
            raise Refused(
                f"the ledger has fewer entries than its newest head, {seq} is missing; run `hallmark ledger verify`"
            )
        return leaf

    def _read_block(self, block: int) -> dict[int, bytes]:
        rows = self._ledger.rows(block * BLOCK_SIZE, (block + 1) * BLOCK_SIZE)
        return {row.seq: row.leaf_hash() for row in rows}
