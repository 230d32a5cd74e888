"""What a dataset is made of: artefacts/split/manifest.json. Its owners approve it, and releases trained on it carry it.

It holds counts, digests and what the inventory said; no time, so that the same sources give the same manifest.
"""

from typing import Any, Literal

from tasks.core.config import Frozen
from tasks.core.document import Document
from tasks.core.params.values import Sha256
from tasks.core.steps.data import FILTERED
from tasks.sources.protection import CATEGORIES, Action, Category
from tasks.sources.sources import ResolvedSource

STAGES = (*FILTERED, "split")
"""The stages that a row goes through, in their order: each leaves records and quarantine."""
SIDES = ("train", "test")
SEGMENTS = ("source_id", "department", "language", "kind")
Value = str | int | float | bool | None


class Passage(Frozen):
    """Rows into a stage, records out of it, rows put aside by rule, and rows that were merely not drawn."""

    rows: int
    records: int
    quarantined: dict[str, int]
    not_drawn: int = 0
    """Of `split`, which draws what params.yaml asks for; an earlier version counted them as `quarantined`."""

    @property
    def adds_up(self) -> bool:
        return self.rows == self.records + sum(self.quarantined.values()) + self.not_drawn


TERMS = (
    "owner", "steward", "access", "classification", "lawful_basis", "licence", "retention_days", "region",
    "refresh_days", "approved_uses",
)  # fmt: skip
"""What the inventory says of a source and its owner signs with the dataset."""


class Origin(Frozen):
    """One source, as it was when the dataset was made."""

    sha256: Sha256
    """Of its content."""
    owner: str
    steward: str
    access: list[str]
    classification: str
    lawful_basis: str
    licence: str
    retention_days: int
    region: str
    refresh_days: int
    approved_uses: list[str]
    passages: dict[str, Passage]
    """By stage."""
    rows: dict[str, int]
    """In the dataset, by side."""
    protected: dict[Category, int]
    """How often text of each class was found."""
    actions: dict[Category, Action]
    """What is done with each class, found or not."""
    people: dict[Category, int] | None = None
    """Different values of each class that stands for a person, in its rows of the dataset. Null where a version made it
    that counted none."""

    @property
    def taken(self) -> int:
        """Rows that were read."""
        return self.passages["ingest"].rows

    @property
    def aside(self) -> dict[str, int]:
        """Rows put aside before the split, by rule; what the split draws says nothing about a source."""
        rules: dict[str, int] = {}
        for passage in (self.passages[stage] for stage in STAGES[:-1] if stage in self.passages):
            for rule, count in passage.quarantined.items():
                rules[rule] = rules.get(rule, 0) + count
        return rules

    @property
    def aside_share(self) -> float:
        return sum(self.aside.values()) / self.taken if self.taken else 0.0


def declared(item: ResolvedSource) -> dict[str, Any]:
    """The fields of `Origin` that stand before anything is read: what the inventory says, and what was pinned."""
    source = item.source
    actions = {category: source.protect.action(category) for category in CATEGORIES}
    return source.model_dump(include=set(TERMS)) | {"sha256": item.sha256, "actions": actions}


DECLARED = (*TERMS, "sha256", "actions")
"""What `declared` gives."""


class Dataset(Document):
    """manifest.json"""

    type: Literal["urn:hallmark:dataset:v1"] = "urn:hallmark:dataset:v1"
    sources: dict[str, Origin]
    counts: dict[str, Passage]
    """Of all sources together, by stage."""
    rows: dict[str, int]
    """By side."""
    digests: dict[str, Sha256]
    """Of each side's file."""
    segments: dict[str, dict[str, dict[str, int]]]
    """Rows by segment, side and value, e.g. segments["language"]["train"]["en"]."""
    settings: dict[str, Value]
    """`data` of params.yaml, by dotted key."""

    @property
    def owners(self) -> list[str]:
        """Who answers for its sources, sorted."""
        return sorted({source.owner for source in self.sources.values()})
