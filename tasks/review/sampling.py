"""Stratified sample of pairs, contested ones first.

A pair is contested if the automatic judge finds one of its answers right and the other not, or if a suite's judge
failed. Experts learn most from these, so they fill the sample before others do. The share of preferences in a sample is
therefore about the pairs in it, and is no estimate for all answers of the run.
"""

import hashlib
from collections.abc import Sequence

from tasks.review.pairs import Pair


def draw_pairs(pairs: Sequence[Pair], size: int, seed: int) -> list[Pair]:
    """Return a sample of at most `size` pairs. Equal arguments give equal samples.

    Within contested pairs and within the others, the strata take turns, so each has as many pairs as the others unless
    it has no more. Within a stratum, the order is random.
    """
    contested = [pair for pair in pairs if pair.is_contested]
    others = [pair for pair in pairs if not pair.is_contested]
    return [*_take_turns(contested, seed), *_take_turns(others, seed)][:size]


def _take_turns(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    strata: dict[tuple[str, ...], list[Pair]] = {}
    for pair in sorted(pairs, key=lambda each: _random_digest(each.key, seed)):
        strata.setdefault(pair.strata, []).append(pair)
    placed = [
        (place, _random_digest(repr(stratum), seed), pair)
        for stratum, members in strata.items()
        for place, pair in enumerate(members)
    ]
    return [pair for _, _, pair in sorted(placed, key=lambda each: each[:2])]


def _random_digest(text: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()
