"""Profile of a dataset: counts by language, department, geography, label and length, in training and test together."""

from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import Sha256

MIN_NAMED_ROWS = 5
"""Minimum number of rows with a value that is counted by itself. Rarer values are counted together as RARE, because a
rare value could tell about a person."""
MAX_NAMED_VALUES = 200
"""Maximum number of values of a field that are counted by themselves, the most frequent ones."""
RARE = "(rare)"
CATEGORY_FIELDS = ("language", "department", "geography")
LENGTH_FIELDS = ("prompt_chars", "target_chars")
SHIFT_FIELDS = (*CATEGORY_FIELDS, "label", *LENGTH_FIELDS)


class LengthHistogram(FrozenModel):
    """Histogram of lengths in characters, with bins of about as many rows each."""

    edges: list[int]
    """Largest length in each bin, ascending. Longer lengths are in one more bin."""
    counts: list[int]
    """Number of rows in each bin, one more than there are edges."""


class DatasetProfile(FrozenModel):
    rows: int
    categories: dict[str, dict[str, int]]
    """Number of rows by field and value: `language`, `department`, `geography` and `label`. A label is a value of
    records and therefore stands by the first 12 hex digits of its SHA-256."""
    lengths: dict[str, LengthHistogram]
    """Lengths by field: `prompt_chars` and `target_chars`."""


class PromptVersion(FrozenModel):
    """Version of a task's prompt, with its content."""

    version: int
    sha256: Sha256
    """SHA-256 of system turn, template and response as canonical JSON, without the version."""


def fold_rare(counts: dict[str, int]) -> dict[str, int]:
    """Count the values with few rows, and all beyond the most frequent ones, together as RARE."""
    frequent = sorted(counts, key=lambda value: (-counts[value], value))[:MAX_NAMED_VALUES]
    named = {value: counts[value] for value in sorted(frequent) if counts[value] >= MIN_NAMED_ROWS}
    rest = sum(counts.values()) - sum(named.values())
    return named | ({RARE: rest} if rest else {})
