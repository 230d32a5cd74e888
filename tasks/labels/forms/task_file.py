"""Content of a task file: items to label as they are handed out, and labelled items as they come back."""

from dataclasses import dataclass
from typing import NamedTuple

ROUND, ANNOTATOR, GUIDELINE, ITEM, TEXT = "round", "annotator", "guideline", "item", "text"
GIVEN, LABEL, SECONDS, NOTE = "given", "label", "seconds", "note"
FIXED_FIELDS = (ROUND, ANNOTATOR, GUIDELINE, ITEM, TEXT)
"""Fields of each item that come back unchanged."""
MAX_LISTED_PROBLEMS = 20


class TaskItem(NamedTuple):
    item: str
    text: str
    given: tuple[str, ...] = ()
    """Labels on which annotators disagree; empty in the file of an annotator."""


@dataclass(frozen=True)
class TaskFile:
    """Items of one annotator or adjudicator."""

    round: str
    annotator: str
    """Pseudonym of the person."""
    guideline: str
    """Version and digest of the guideline."""
    labels: tuple[str, ...]
    """Allowed labels; empty for free text."""
    items: tuple[TaskItem, ...]

    def fixed_values(self, item: TaskItem) -> dict[str, str]:
        return dict(zip(FIXED_FIELDS, (self.round, self.annotator, self.guideline, item.item, item.text), strict=True))

    @property
    def shows_given(self) -> bool:
        return any(item.given for item in self.items)


@dataclass(frozen=True)
class LabelledItem:
    """Item of a task file that came back. Nothing in it is verified."""

    where: str
    """Place in the file, such as `line 3`, for messages."""
    round: str
    annotator: str
    guideline: str
    item: str
    text: str
    label: str
    """Label, or empty text if the item has none yet."""
    seconds: float | None = None
    note: str = ""


class FormError(ValueError):
    """Error for a file that is not in its form; the message says where and what to do."""
