"""The Merkle tree of RFC 9162, section 2.1, over SHA-256: hashing, and both kinds of proofs.

https://www.rfc-editor.org/rfc/rfc9162#section-2.1

What makes a proof asks for the roots of the subtrees that the path names, so that where these are kept it reads nothing
else. Our own page of code, since pymerkle is under the GPL.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

Roots = Callable[[int, int], bytes]
"""Root over the leaves from one number, counted from 0, to before another."""


def leaf_hash(data: bytes) -> bytes:
    """Hash of an entry. The prefixes of leaves and nodes keep a node from being passed off as an entry."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Frontier(NamedTuple):
    """What is needed of a tree to append to it: the roots of the full subtrees that it is made of, largest first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __str__(self) -> str:
        return f"{self.size:,} entries, root {self.root().hex()[:12]}"

    def append(self, leaf: bytes) -> "Frontier":
        """The tree with one more leaf, given by its hash; at most log2(size) hashes are computed."""
        peaks, full = [*self.peaks, leaf], self.size
        while full & 1:
            right = peaks.pop()
            peaks[-1] = node_hash(peaks[-1], right)
            full >>= 1
        return Frontier(self.size + 1, tuple(peaks))

    def root(self) -> bytes:
        """The tree's hash, MTH in the RFC; of no leaves, that of nothing."""
        if not self.peaks:
            return sha256(b"").digest()
        root = self.peaks[-1]
        for left in reversed(self.peaks[:-1]):
            root = node_hash(left, root)
        return root


def tree_hash(leaves: Iterable[bytes]) -> bytes:
    """Root over leaf hashes."""
    tree = Frontier()
    for leaf in leaves:
        tree = tree.append(leaf)
    return tree.root()


def inclusion_path(index: int, size: int, root: Roots, start: int = 0) -> list[bytes]:
    """PATH(index, D_size): what shows that leaf `index`, counted from 0, is in the tree; both count from `start` on."""
    if size == 1:
        return []
    half = split(size)
    if index < half:
        return [*inclusion_path(index, half, root, start), root(start + half, start + size)]
    return [*inclusion_path(index - half, size - half, root, start + half), root(start, start + half)]


def consistency_path(old: int, size: int, root: Roots) -> list[bytes]:
    """PROOF(old, D_size): what shows that a tree of `old` leaves, at least one, is the beginning of one of `size`."""
    return _subproof(old, size, root, start=0, known=True)


def includes(root: bytes, size: int, leaf: bytes, index: int, path: Sequence[bytes]) -> bool:
    """Whether `path` shows that the leaf hash stands at `index` of the tree (section 2.1.3.2)."""
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


def extends(old_root: bytes, old: int, root: bytes, size: int, path: Sequence[bytes]) -> bool:
    """Whether `path` shows that the tree of `old` leaves is the beginning of the other (section 2.1.4.2)."""
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


def split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def _subproof(old: int, size: int, root: Roots, start: int, known: bool) -> list[bytes]:
    """SUBPROOF(old, D_size, known); `known`: whoever checks has this subtree's hash already."""
    if old == size:
        return [] if known else [root(start, start + size)]
    half = split(size)
    if old <= half:
        return [*_subproof(old, half, root, start, known), root(start + half, start + size)]
    return [*_subproof(old - half, size - half, root, start + half, known=False), root(start, start + half)]
