"""Manifest of a dataset, artefacts/split/manifest.json.

The owners of the sources approve the manifest, and every release that is trained on the dataset contains it. It lists
counts, digests and the terms from sources.yaml. It does not contain timestamps, so that the same sources give the same
manifest.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import SerializerFunctionWrapHandler, model_serializer

from tasks.core.documents.config import FrozenModel
from tasks.core.documents.document import Document
from tasks.core.params.values import Sha256
from tasks.core.steps.data import FILTER_STAGE_NAMES
from tasks.sources.owner_detectors import DeclaredDetector, DetectorCount
from tasks.sources.protection import CATEGORIES, Action, Category
from tasks.sources.resolved_sources import ResolvedSource

COUNTED_STAGES = (*FILTER_STAGE_NAMES, "split")
NOT_SAMPLED_RULE = "not_drawn"
"""Rule name for records that `split` did not sample because params.yaml limits the number of rows.

These records are valid. Earlier versions of Hallmark counted them as quarantined.
"""
PARTITIONS = ("train", "test")
SEGMENT_FIELDS = ("source_id", "department", "language", "kind")
SettingValue = str | int | float | bool | None


class StageCounts(FrozenModel):
    """Counts of one stage: rows read, records written, rows quarantined by each rule, and rows not sampled."""

    rows: int
    records: int
    quarantined: dict[str, int]
    not_drawn: int = 0
    """Number of rows that `split` did not sample because params.yaml limits the number of rows. Earlier versions of
    Hallmark counted these rows in `quarantined`."""

    @property
    def counts_add_up(self) -> bool:
        return self.rows == self.records + sum(self.quarantined.values()) + self.not_drawn


SIGNED_FIELDS = (
    "owner", "steward", "access", "classification", "lawful_basis", "licence", "retention_days", "region",
    "refresh_days", "approved_uses",
)  # fmt: skip
"""Fields of a source in sources.yaml that its owner signs together with the dataset."""


class DatasetSource(FrozenModel):
    """Source of a dataset, as it was declared when the dataset was created."""

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
    """Row counts of the source in each stage, by name of the stage."""
    rows: dict[str, int]
    """Number of records in each partition of the dataset, `train` and `test`."""
    protected: dict[Category, int]
    """Number of personal or secret values that were found, by category."""
    actions: dict[Category, Action]
    """Action on each category, including categories without any values in the source."""
    people: dict[Category, int] | None = None
    """Number of distinct values in the dataset's records, for each category that identifies a person. Null in manifests
    from earlier versions of Hallmark, which did not count these values."""
    synthetic: int | None = None
    """Number of synthetic records of the source in the dataset; null if there are none."""
    detectors: dict[str, DeclaredDetector] = {}
    """Detectors that the owner has added to Hallmark's recognisers, by name. Empty in manifests from Hallmark versions
    without such detectors."""
    detected: dict[str, dict[Category, DetectorCount]] = {}
    """Finds of each of these detectors, by name of the detector and category."""

    @model_serializer(mode="wrap")
    def _leave_out_synthetic(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `synthetic` out if there are none, so that digests of other datasets stay."""
        document: dict[str, Any] = serialise(self)
        return {name: value for name, value in document.items() if name != "synthetic" or value is not None}

    @property
    def rows_read(self) -> int:
        return self.passages["ingest"].rows

    @property
    def readable_counts(self) -> dict[str, int]:
        """Number of values that were found and left readable, for each category whose action is `keep`."""
        return {name: count for name, count in self.protected.items() if count and self.actions.get(name) == "keep"}

    @property
    def quarantined(self) -> dict[str, int]:
        return count_quarantined_by_rule(self.passages)

    @property
    def quarantined_share(self) -> float:
        return _quarantined_share(self.quarantined, self.rows_read)

    @property
    def quarantined_share_before_split(self) -> float:
        """Fraction of the source's rows that were quarantined before stage `split`. Evidence contains this value."""
        return _quarantined_share(
            count_quarantined_by_rule({name: it for name, it in self.passages.items() if name != "split"}),
            self.rows_read,
        )


def count_quarantined_by_rule(passages: Mapping[str, StageCounts]) -> dict[str, int]:
    """Count the quarantined rows of a source by rule. All pages, commands and reports use these counts.

    Rows that `split` did not sample are not counted, because they are valid.
    """
    rules: Counter[str] = Counter()
    for passage in passages.values():
        rules.update({rule: rows for rule, rows in passage.quarantined.items() if rule != NOT_SAMPLED_RULE})
    return dict(rules)


def _quarantined_share(quarantined: Mapping[str, int], rows_read: int) -> float:
    return sum(quarantined.values()) / rows_read if rows_read else 0.0


def declared_fields(resolved_source: ResolvedSource) -> dict[str, Any]:
    """Return the fields of `DatasetSource` that are known before any row is read.

    These are terms, actions, detectors and the pinned digest.
    """
    source = resolved_source.source
    actions = {category: source.protect.action_for(category) for category in CATEGORIES}
    detectors = {each.name: DeclaredDetector.from_detector(each).model_dump() for each in source.detectors}
    pinned = {"sha256": resolved_source.sha256, "actions": actions, "detectors": detectors}
    return source.model_dump(include=set(SIGNED_FIELDS)) | pinned


DECLARED_FIELDS = (*SIGNED_FIELDS, "sha256", "actions", "detectors")


class Dataset(Document):
    """Manifest of a dataset, artefacts/split/manifest.json."""

    type: Literal["urn:hallmark:dataset:v1"] = "urn:hallmark:dataset:v1"
    sources: dict[str, DatasetSource]
    counts: dict[str, StageCounts]
    """Row counts of all sources together in each stage, by name of the stage."""
    rows: dict[str, int]
    """Number of records in each partition, `train` and `test`."""
    digests: dict[str, Sha256]
    """SHA-256 of each partition's file, by partition."""
    segments: dict[str, dict[str, dict[str, int]]]
    """Number of records by segment, partition and value, for example segments["language"]["train"]["en"]."""
    settings: dict[str, SettingValue]
    """Values in section `data` of params.yaml, by dotted key."""

    @property
    def owners(self) -> list[str]:
        return sorted({source.owner for source in self.sources.values()})
