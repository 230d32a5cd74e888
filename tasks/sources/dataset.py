"""Manifest of a dataset, artefacts/split/manifest.json. Its owners approve it, and releases trained on it contain it.

The manifest contains counts, digests and the terms of the inventory. It does not contain timestamps, so that the same
sources give the same manifest.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

from tasks.core.documents.config import FrozenModel
from tasks.core.documents.document import Document
from tasks.core.params.values import Sha256
from tasks.core.steps.data import FILTER_NAMES
from tasks.sources.protection import CATEGORIES, Action, Category
from tasks.sources.sources import ResolvedSource

STAGES = (*FILTER_NAMES, "split")
NOT_DRAWN = "not_drawn"
"""Rule name for records that `split` did not sample because params.yaml asks for fewer.

These records are valid. Earlier versions counted them as quarantined.
"""
SIDES = ("train", "test")
SEGMENTS = ("source_id", "department", "language", "kind")
Value = str | int | float | bool | None


class StageCounts(FrozenModel):
    """Counts of one stage: rows read, records written, rows quarantined by each rule, and rows not sampled."""

    rows: int
    records: int
    quarantined: dict[str, int]
    not_drawn: int = 0
    """Number of rows that `split` did not sample because params.yaml asks for fewer. Earlier versions counted them in
    `quarantined`."""

    @property
    def adds_up(self) -> bool:
        return self.rows == self.records + sum(self.quarantined.values()) + self.not_drawn


SIGNED_FIELDS = (
    "owner", "steward", "access", "classification", "lawful_basis", "licence", "retention_days", "region",
    "refresh_days", "approved_uses",
)  # fmt: skip
"""Fields of a source in sources.yaml that its owner signs together with the dataset."""


class DatasetSource(FrozenModel):
    """Source of a dataset, as it was declared when the dataset was made."""

    sha256: Sha256
    """SHA-256 of the source's content."""
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
    passages: dict[str, StageCounts]
    """Counts of the source's rows in each stage, by stage."""
    rows: dict[str, int]
    """Number of records in the dataset by partition, `train` or `test`."""
    protected: dict[Category, int]
    """Number of personal or secret values that were found, by category."""
    actions: dict[Category, Action]
    """Action on each category, including categories that were not found."""
    people: dict[Category, int] | None = None
    """Number of different values in the dataset's records, for each category that identifies a person. Null if the
    manifest was made by an earlier version of Hallmark, which did not count them."""

    @property
    def rows_read(self) -> int:
        return self.passages["ingest"].rows

    @property
    def kept_readable(self) -> dict[str, int]:
        """Number of values found in each category that the source's `protect` leaves readable (`keep`)."""
        return {name: count for name, count in self.protected.items() if count and self.actions.get(name) == "keep"}

    @property
    def quarantined(self) -> dict[str, int]:
        return quarantined_by_rule(self.passages)

    @property
    def quarantined_share(self) -> float:
        return _share(self.quarantined, self.rows_read)

    @property
    def quarantined_share_before_split(self) -> float:
        """Share of the rows read that stages before `split` quarantined. Evidence states this share."""
        return _share(
            quarantined_by_rule({name: it for name, it in self.passages.items() if name != "split"}), self.rows_read
        )


def quarantined_by_rule(passages: Mapping[str, StageCounts]) -> dict[str, int]:
    """Count the quarantined rows of a source by rule. All pages, commands and reports use these counts.

    Rows that `split` did not sample are not counted, because they are valid.
    """
    rules: Counter[str] = Counter()
    for passage in passages.values():
        rules.update({rule: rows for rule, rows in passage.quarantined.items() if rule != NOT_DRAWN})
    return dict(rules)


def _share(aside: Mapping[str, int], taken: int) -> float:
    return sum(aside.values()) / taken if taken else 0.0


def declared_fields(item: ResolvedSource) -> dict[str, Any]:
    """Return the fields of `DatasetSource` that are known before any row is read: terms, actions and pinned digest."""
    source = item.source
    actions = {category: source.protect.action(category) for category in CATEGORIES}
    return source.model_dump(include=set(SIGNED_FIELDS)) | {"sha256": item.sha256, "actions": actions}


DECLARED_FIELDS = (*SIGNED_FIELDS, "sha256", "actions")


class Dataset(Document):
    """Manifest of a dataset, artefacts/split/manifest.json."""

    type: Literal["urn:hallmark:dataset:v1"] = "urn:hallmark:dataset:v1"
    sources: dict[str, DatasetSource]
    counts: dict[str, StageCounts]
    """Counts of the rows of all sources in each stage, by stage."""
    rows: dict[str, int]
    """Number of records by partition, `train` or `test`."""
    digests: dict[str, Sha256]
    """SHA-256 of each partition's file, by partition."""
    segments: dict[str, dict[str, dict[str, int]]]
    """Number of records by segment, partition and value, for example segments["language"]["train"]["en"]."""
    settings: dict[str, Value]
    """Values in section `data` of params.yaml, by dotted key."""

    @property
    def owners(self) -> list[str]:
        return sorted({source.owner for source in self.sources.values()})
