"""Profile of a dataset: counts by language, department, geography, label and length, in training and test together."""

from tasks.core.documents.config import FrozenModel
from tasks.core.escaping import escape_to_one_line
from tasks.core.params.coverage import MIN_NAMED_ROWS
from tasks.core.params.values import Sha256

MAX_NAMED_VALUES = 200
"""Maximum number of values of a field that are counted by themselves, the most frequent ones."""
RARE = "(rare)"
"""Name under which all values are counted that have fewer than MIN_NAMED_ROWS rows or are beyond MAX_NAMED_VALUES."""
MAX_NOTED_CHARS = 60
"""Maximum number of characters of a value in a note."""
CATEGORY_FIELDS = ("language", "department", "geography")
LENGTH_FIELDS = ("prompt_chars", "target_chars")
SHIFT_FIELDS = (*CATEGORY_FIELDS, "label", *LENGTH_FIELDS)


class LengthHistogram(FrozenModel):
    """Histogram of lengths in characters, with bins of about as many rows each.

    The last bin is empty, and so is the first one unless the shortest length is 0. They are for lengths of a later
    dataset that are shorter or longer than any of these.
    """

    edges: list[int]
    """Largest length in each bin, ascending. Longer lengths are in one more bin."""
    counts: list[int]
    """Number of rows in each bin, one more than there are edges."""


class DatasetProfile(FrozenModel):
    rows: int
    categories: dict[str, dict[str, int]]
    """Number of rows by field and value: `language`, `department`, `geography` and `label`. A label is a value of
    records and therefore stands by the first 12 hex digits of its SHA-256. Whoever has a list of labels can find the
    label of a digest."""
    lengths: dict[str, LengthHistogram]
    """Lengths by field: `prompt_chars` and `target_chars`."""


class PromptVersion(FrozenModel):
    """Version of a task's prompt, with its content."""

    version: int
    sha256: Sha256
    """SHA-256 of system turn, template and response as canonical JSON, without fields that have their default."""


def fold_rare(counts: dict[str, int]) -> dict[str, int]:
    """Count the values with few rows, and all beyond the most frequent ones, together as RARE."""
    frequent = sorted(counts, key=lambda value: (-counts[value], value))[:MAX_NAMED_VALUES]
    named = {value: counts[value] for value in sorted(frequent) if counts[value] >= MIN_NAMED_ROWS and value != RARE}
    rest = sum(counts.values()) - sum(named.values())
    return named | ({RARE: rest} if rest else {})


def format_noted_value(value: str) -> str:
    """Format a value of a run's rows for a note: at most MAX_NOTED_CHARS characters, without hidden ones."""
    cut = value if len(value) <= MAX_NOTED_CHARS else f"{value[:MAX_NOTED_CHARS]}…"
    return escape_to_one_line(cut) or "none"
