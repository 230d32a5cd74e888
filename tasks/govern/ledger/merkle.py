"""The Merkle tree of RFC 9162, section 2.1, over SHA-256: hashing, and both kinds of proofs.

https://www.rfc-editor.org/rfc/rfc9162#section-2.1

What reads leaves takes an iterator over their hashes and consumes each once, in order, so that a million of them need
no memory. Our own page of code, since pymerkle is under the GPL.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256


def leaf_hash(data: bytes) -> bytes:
    """Hash of an entry. The prefixes of leaves and nodes keep a node from being passed off as an entry."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True)
class Frontier:
    """What is needed of a tree to append to it: the roots of the full subtrees that it is made of, largest first."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

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


def tree_hash(leaves: Iterator[bytes], size: int) -> bytes:
    """Root over the next `size` leaf hashes."""
    tree = Frontier()
    for _ in range(size):
        tree = tree.append(next(leaves))
    return tree.root()


def inclusion_path(index: int, leaves: Iterator[bytes], size: int) -> list[bytes]:
    """PATH(index, D_size): what shows that leaf `index`, counted from 0, is in the tree."""
    if size == 1:
        next(leaves)
        return []
    half = _split(size)
    if index < half:
        below = inclusion_path(index, leaves, half)
        return [*below, tree_hash(leaves, size - half)]
    left = tree_hash(leaves, half)
    return [*inclusion_path(index - half, leaves, size - half), left]


def consistency_path(old: int, leaves: Iterator[bytes], size: int) -> list[bytes]:
    """PROOF(old, D_size): what shows that a tree of `old` leaves, at least one, is the beginning of one of `size`."""
    return _subproof(old, leaves, size, known=True)


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


def _subproof(old: int, leaves: Iterator[bytes], size: int, known: bool) -> list[bytes]:
    """SUBPROOF(old, D_size, known); `known`: whoever checks has this subtree's hash already."""
    if old == size:
        whole = tree_hash(leaves, size)
        return [] if known else [whole]
    half = _split(size)
    if old <= half:
        below = _subproof(old, leaves, half, known)
        return [*below, tree_hash(leaves, size - half)]
    left = tree_hash(leaves, half)
    return [*_subproof(old - half, leaves, size - half, known=False), left]


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1
