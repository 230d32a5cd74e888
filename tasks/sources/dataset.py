"""What a dataset is made of: artefacts/split/manifest.json. Its owners approve it, and releases trained on it carry it.

It holds counts, digests and what the inventory said; no time, so that the same sources give the same manifest.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

from tasks.core.config import Frozen
from tasks.core.document import Document
from tasks.core.params.values import Sha256
from tasks.core.steps.data import FILTERED
from tasks.sources.protection import CATEGORIES, Action, Category
from tasks.sources.sources import ResolvedSource

STAGES = (*FILTERED, "split")
"""The stages that a row goes through, in their order: each leaves records and quarantine."""
NOT_DRAWN = "not_drawn"
"""What stands for a rule of records that `split` did not draw: nothing is wrong with them, and parameters ask for no
more. An earlier version counted them as put aside."""
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
        """Rows put aside, by rule."""
        return put_aside(self.passages)

    @property
    def aside_share(self) -> float:
        """Of the rows read, those put aside."""
        return _share(self.aside, self.taken)

    @property
    def early_aside_share(self) -> float:
        """Of the rows read, those put aside before the split, as evidence states it."""
        return _share(put_aside({name: it for name, it in self.passages.items() if name != "split"}), self.taken)


def put_aside(passages: Mapping[str, Passage]) -> dict[str, int]:
    """Rows of a source that stages put aside, by rule: the figure that every page, command and report states.

    Rows that were merely not drawn are none of them: nothing is wrong with those.
    """
    rules: Counter[str] = Counter()
    for passage in passages.values():
        rules.update({rule: rows for rule, rows in passage.quarantined.items() if rule != NOT_DRAWN})
    return dict(rules)


def _share(aside: Mapping[str, int], taken: int) -> float:
    return sum(aside.values()) / taken if taken else 0.0


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
