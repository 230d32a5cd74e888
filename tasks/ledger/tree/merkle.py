"""Merkle tree of RFC 9162, section 2.1, over SHA-256: hashes, inclusion proofs and consistency proofs.

https://www.rfc-editor.org/rfc/rfc9162#section-2.1

The functions that create a proof get the roots of subtrees from a callback. If these roots are stored, no entries are
read. The library pymerkle is not used because it is under the GPL.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

RootFunction = Callable[[int, int], bytes]
"""Function of `start` and `stop` that returns the root hash over the leaves with indices `start` to `stop - 1`."""


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf. Leaves and nodes have different prefixes, so that a node cannot pass for a leaf."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Frontier(NamedTuple):
    """Part of a tree that suffices for appending: its size and the roots of its full subtrees, largest first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __str__(self) -> str:
        return f"{self.size:,} entries, root {self.root().hex()[:12]}"

    def append(self, leaf: bytes) -> "Frontier":
        """Return the tree with one more leaf, given by its hash. At most log2(size) hashes are computed."""
        peaks, full = [*self.peaks, leaf], self.size
        while full & 1:
            right = peaks.pop()
            peaks[-1] = node_hash(peaks[-1], right)
            full >>= 1
        return Frontier(self.size + 1, tuple(peaks))

    def root(self) -> bytes:
        """Return the root hash, MTH in the RFC. The root of an empty tree is the hash of an empty byte string."""
        if not self.peaks:
            return sha256(b"").digest()
        root = self.peaks[-1]
        for left in reversed(self.peaks[:-1]):
            root = node_hash(left, root)
        return root


def tree_hash(leaves: Iterable[bytes]) -> bytes:
    tree = Frontier()
    for leaf in leaves:
        tree = tree.append(leaf)
    return tree.root()


def inclusion_path(index: int, size: int, root: RootFunction, start: int = 0) -> list[bytes]:
    """Return the inclusion proof for a leaf: PATH(index, D_size) in the RFC.

    Args:
        index: Index of the leaf, counted from leaf `start`.
        size: Number of leaves of the tree.
        root: Function that returns the root hash of a subtree.
        start: Index of the first leaf of the tree.
    """
    if size == 1:
        return []
    half = largest_power_of_two_below(size)
    if index < half:
        return [*inclusion_path(index, half, root, start), root(start + half, start + size)]
    return [*inclusion_path(index - half, size - half, root, start + half), root(start, start + half)]


def consistency_path(old: int, size: int, root: RootFunction) -> list[bytes]:
    """Return the proof that the tree of the first `old` leaves is a prefix of this tree: PROOF(old, D_size) in the RFC.

    `old` must be at least 1.
    """
    return _subproof(old, size, root, start=0, known=True)


def verify_inclusion(root: bytes, size: int, leaf: bytes, index: int, path: Sequence[bytes]) -> bool:
    """Return whether `path` proves that a leaf hash is at `index` of the tree (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    place, last, computed = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            computed = node_hash(step, computed)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            computed = node_hash(computed, step)
        place, last = place >> 1, last >> 1
    return last == 0 and computed == root


def verify_consistency(old_root: bytes, old: int, root: bytes, size: int, path: Sequence[bytes]) -> bool:
    """Return whether `path` proves that the tree of `old` leaves is a prefix of the other (RFC 9162, 2.1.4.2)."""
    if old == size:
        return old > 0 and not path and old_root == root
    if not 0 < old < size or not path:
        return False
    steps = [old_root, *path] if old & (old - 1) == 0 else list(path)
    place, last = old - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, step)
        place, last = place >> 1, last >> 1
    return last == 0 and first == old_root and second == root


def largest_power_of_two_below(size: int) -> int:
    return 1 << (size - 1).bit_length() - 1


def _subproof(old: int, size: int, root: RootFunction, start: int, known: bool) -> list[bytes]:
    """Return SUBPROOF(old, D_size, known) of the RFC. If `known` is true, the verifier has this subtree's hash."""
    if old == size:
        return [] if known else [root(start, start + size)]
    half = largest_power_of_two_below(size)
    if old <= half:
        return [*_subproof(old, half, root, start, known), root(start + half, start + size)]
    return [*_subproof(old - half, size - half, root, start + half, known=False), root(start, start + half)]
