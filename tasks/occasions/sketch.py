"""How much of a text changed: a sketch of its distinct lines, small enough to keep, that two versions are compared by.

A sketch holds the least of the lines' keyed hashes (bottom-k MinHash, Broder 1997): of a text of up to LINES distinct
lines all of them, and the comparison is exact; of a longer one it estimates, with a standard error of at most
0.5 / sqrt(LINES) = 0.008. The key is drawn once a trigger and stays in `.hallmark`: a bare hash of a short line would
say what stands there.
"""

import hashlib
import heapq
from collections.abc import Callable, Iterable

from tasks.core.config import Frozen
from tasks.core.params.values import Sha256

LINES = 4096
LONGEST = 1 << 20
"""Bytes of a line that are hashed as one; a file without line ends is hashed in pieces of that."""


class Sketch(Frozen):
    sha256: Sha256
    """Of the whole content."""
    least: list[int]
    """The least hashes of its distinct lines, sorted, at most LINES of them."""


def of(blocks: Iterable[bytes], key: bytes) -> Sketch:
    """The sketch of a content that comes in blocks of any size."""
    digest, kept, held = hashlib.sha256(), list[int](), set[int]()
    for line in _lines(blocks, digest.update):
        value = int.from_bytes(hashlib.blake2b(line, digest_size=8, key=key).digest())
        if value in held or (len(kept) == LINES and value >= -kept[0]):
            continue
        held.add(value)
        if len(kept) < LINES:
            heapq.heappush(kept, -value)
        else:
            held.discard(-heapq.heappushpop(kept, -value))
    return Sketch(sha256=digest.hexdigest(), least=sorted(held))


def changed(before: Sketch, now: Sketch) -> float:
    """Share of the distinct lines of either that are in one of the two alone, 0 to 1; 0 only where both are the same
    bytes."""
    if before.sha256 == now.sha256:
        return 0.0
    first, second = set(before.least), set(now.least)
    union = sorted(first | second)
    if len(first) == LINES or len(second) == LINES:
        union = union[:LINES]
    both = sum(value in first and value in second for value in union)
    return 1 - both / len(union) if union and both < len(union) else (1.0 if not union else 1 / (len(union) + 1))


def _lines(blocks: Iterable[bytes], hear: Callable[[bytes], None]) -> Iterable[bytes]:
    rest = b""
    for block in blocks:
        hear(block)
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
        if len(rest) > LONGEST:
            yield rest
            rest = b""
    if rest:
        yield rest
