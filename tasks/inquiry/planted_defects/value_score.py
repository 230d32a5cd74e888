"""Score of masking on planted values, character by character."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.inquiry.planted_defects.character_score import CategoryCounts, count_characters, score_categories
from tasks.inquiry.planted_defects.ground_truth import PlantedValue, RowLocation
from tasks.inquiry.planted_defects.masked_spans import find_masked_spans
from tasks.inquiry.planted_defects.text_pairs import TurnPairs
from tasks.stages.data.protect.detected_span import DetectedSpan
from tasks.stages.data.text import repair_text


class CategoryScore(FrozenModel):
    """Masking score of one category, or of all categories together.

    All counts except `values` are numbers of characters other than white space.
    """

    category: str
    values: int
    truth: int
    hit: int
    """Number of characters of this category that were masked as any category."""
    marked: int
    """Number of characters that were masked as this category."""
    right: int
    """Number of characters in `marked` that are truly personal or secret, of any category."""
    taken_for: dict[str, int]
    """Number of characters of this category that were masked as another category, by that category. The key `kept` is
    for characters that were not masked."""

    @property
    def recall(self) -> float:
        return self.hit / self.truth if self.truth else 1.0

    @property
    def precision(self) -> float:
        return self.right / self.marked if self.marked else 1.0


def score_values(values: Iterable[PlantedValue], texts: Iterable[tuple[RowLocation, TurnPairs]]) -> list[CategoryScore]:
    """Return the score of every category that was planted or found, and of all categories together as `all`.

    Raises:
        InputError: A row does not contain its planted value.
    """
    planted: dict[RowLocation, list[PlantedValue]] = defaultdict(list)
    for value in values:
        planted[value.location].append(value)
    counted: CategoryCounts = Counter()
    there: Counter[str] = Counter()
    for place, turns in texts:
        there.update(value.category for value in planted[place])
        spans = locate_values(planted[place], [original for original, _ in turns])
        for (original, protected), truth in zip(turns, spans, strict=True):
            counted.update(count_characters(original, truth, find_masked_spans(original, protected)))
    there["all"] = there.total()
    return [
        CategoryScore(
            category=name, values=there[name], taken_for=_count_mistaken_categories(counted, name), **score._asdict()
        )
        for name, score in score_categories(counted).items()
    ]


def locate_values(values: Sequence[PlantedValue], texts: Sequence[str]) -> list[list[DetectedSpan]]:
    """Find the spans of all values in each text, as whole words.

    Longer values are located first, so that a value inside another value is not counted twice.

    Raises:
        InputError: A value is in none of the texts.
    """
    spans: list[list[DetectedSpan]] = [[] for _ in texts]
    for value in sorted(values, key=lambda value: -len(value.value)):
        pattern = re.compile(rf"(?<!\w){re.escape(repair_text(value.value))}(?!\w)")
        hits = [(number, match) for number, text in enumerate(texts) for match in pattern.finditer(text)]
        if not hits:
            raise InputError(
                f"truth: row {value.location.row} of source {value.location.source_id} "
                f"does not hold the {value.category} "
                "that the truth says; make the truth anew with its sources"
            )
        for number, match in hits:
            if not any(span.start < match.end() and match.start() < span.end for span in spans[number]):
                spans[number].append(DetectedSpan(*match.span(), value.category))
    return spans


def _count_mistaken_categories(counted: CategoryCounts, name: str) -> dict[str, int]:
    others: Counter[str] = Counter()
    for (real, taken), count in counted.items():
        if real == name and taken != name:
            others[taken or "kept"] += count
    return dict(sorted(others.items()))
