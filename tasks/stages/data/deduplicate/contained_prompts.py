"""Synthetic records whose prompt has the whole prompt of a real record in it, with other words around it.

They are not near-identical, so both are kept. But whoever wrote them had the real record, so it counts as their parent:
if it is in the test, `split` removes them.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from tasks.stages.data.deduplicate.record_columns import RecordColumns

LEAST_WORDS = 8
LEAST_CHARACTERS = 40
"""Minimum size of a contained prompt. Two people can have written a shorter one by chance."""


class _Prompts:
    """Prompts by their first words, then by their number of words. So a search takes time by the length of a text."""

    def __init__(self) -> None:
        self._by_start: dict[str, dict[int, dict[str, list[int]]]] = {}

    def add(self, prompt: str, record: int) -> None:
        words = prompt.split()
        if len(words) >= LEAST_WORDS and len(prompt) >= LEAST_CHARACTERS:
            by_length = self._by_start.setdefault(" ".join(words[:LEAST_WORDS]), {})
            by_length.setdefault(len(words), {}).setdefault(prompt, []).append(record)

    def find_in(self, text: str) -> Iterator[int]:
        words = text.split()
        for begin in range(len(words) - LEAST_WORDS + 1):
            by_length = self._by_start.get(" ".join(words[begin : begin + LEAST_WORDS]), {})
            for length, prompts in by_length.items():
                yield from prompts.get(" ".join(words[begin : begin + length]), ())


def find_contained_prompts(records: RecordColumns, keep: np.ndarray) -> dict[int, list[int]]:
    """Return the positions of the kept real records whose prompt is in that of a kept synthetic record, by the latter.

    Prompts are compared in their normalised form.
    """
    if not (records.is_synthetic & keep).any():
        return {}
    prompts = _Prompts()
    for position, prompt in _read_prompts(records, np.flatnonzero(keep & ~records.is_synthetic)):
        prompts.add(prompt, position)
    found = {
        position: sorted(set(prompts.find_in(prompt)))
        for position, prompt in _read_prompts(records, np.flatnonzero(keep & records.is_synthetic))
    }
    return {position: real for position, real in found.items() if real}


def _read_prompts(records: RecordColumns, positions: np.ndarray) -> Iterator[tuple[int, str]]:
    numbers = records.normalised_prompt[positions]
    some = positions[numbers >= 0]
    prompts = records.normalised_prompts.take(pa.array(numbers[numbers >= 0]))
    return zip(some.tolist(), prompts.to_pylist(), strict=True)
