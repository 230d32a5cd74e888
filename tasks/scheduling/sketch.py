"""Sketch of the distinct lines of a text, small enough to store. Two sketches show the fraction of changed lines.

A sketch has the smallest keyed hashes of the lines (bottom-k MinHash, Broder 1997). For a text with up to MAX_HASHES
distinct lines it has all of them, and the comparison is exact. For a longer text it gives an estimate with a standard
error of at most 0.5 / sqrt(MAX_HASHES) = 0.008. The key is generated once for each trigger and stays in `.hallmark`,
because an unkeyed hash of a short line would reveal the line.
"""

import hashlib
import heapq
from collections.abc import Callable, Iterable

from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import Sha256

MAX_HASHES = 4096
MAX_LINE_BYTES = 1 << 20
"""Maximum number of bytes that are hashed as one line. A file without line ends is hashed in pieces of this size."""


class Sketch(FrozenModel):
    sha256: Sha256
    least: list[int]
    """Smallest hashes of the distinct lines, sorted, at most MAX_HASHES."""


def make_sketch(blocks: Iterable[bytes], key: bytes) -> Sketch:
    digest, kept, held = hashlib.sha256(), list[int](), set[int]()
    for line in _split_lines(blocks, digest.update):
        value = int.from_bytes(hashlib.blake2b(line, digest_size=8, key=key).digest())
        if value in held or (len(kept) == MAX_HASHES and value >= -kept[0]):
            continue
        held.add(value)
        if len(kept) < MAX_HASHES:
            heapq.heappush(kept, -value)
        else:
            held.discard(-heapq.heappushpop(kept, -value))
    return Sketch(sha256=digest.hexdigest(), least=sorted(held))


def changed_fraction(before: Sketch, now: Sketch) -> float:
    """Return the fraction of distinct lines that only one of two texts has, from 0 (identical texts) to 1."""
    if before.sha256 == now.sha256:
        return 0.0
    first, second = set(before.least), set(now.least)
    union = sorted(first | second)
    if len(first) == MAX_HASHES or len(second) == MAX_HASHES:
        union = union[:MAX_HASHES]
    both = sum(value in first and value in second for value in union)
    return 1 - both / len(union) if union and both < len(union) else (1.0 if not union else 1 / (len(union) + 1))


def _split_lines(blocks: Iterable[bytes], hear: Callable[[bytes], None]) -> Iterable[bytes]:
    rest = b""
    for block in blocks:
        hear(block)
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
        if len(rest) > MAX_LINE_BYTES:
            yield rest
            rest = b""
    if rest:
        yield rest
