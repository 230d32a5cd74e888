"""Results of the other stages, for the report: row counts, expectation suites and training.

The results are read from each stage's result.json, so that the report need not import the stage. A stage without
results is omitted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tasks.core.files import read_stage_json
from tasks.core.layout import Layout
from tasks.sources.dataset import COUNTED_STAGES
from tasks.stages.evaluate.report import source_freshness
from tasks.stages.evaluate.report.source_freshness import DatasetSource


@dataclass(frozen=True)
class RowCounts:
    """Row counts of a stage. `rows` is the sum of `records`, the counts in `quarantined`, and `not_drawn`."""

    stage: str
    source: str
    """Id of the source; empty for all sources together."""
    rows: int
    records: int
    quarantined: tuple[tuple[str, int], ...]
    """Quarantine rules with their numbers of rows, largest first."""
    not_drawn: int = 0
    """Number of records beyond the limits `data.train_rows` and `data.test_rows`; only in stage `split`."""

    @property
    def removed(self) -> int:
        return sum(rows for _, rows in self.quarantined)


@dataclass(frozen=True)
class ProtectedText:
    source: str
    classes: tuple[tuple[str, str, int], ...]
    """Category, action and number of text spans, sorted by number, largest first."""


@dataclass(frozen=True)
class DetectorFinds:
    """Finds of one category by a detector that the owner of a source has added."""

    source: str
    detector: str
    category: str
    found: int
    added: int
    """Number of finds that neither Hallmark's recognisers nor an earlier detector of the source had."""


@dataclass(frozen=True)
class ExpectationResult:
    about: str
    """Column and type of the expectation."""
    why: str
    success: bool
    breaking: int | None
    """Number of rows that violate the expectation; None for an expectation about an aggregate."""


@dataclass(frozen=True)
class SuiteResult:
    name: str
    source: str
    """Id of the source; empty for the whole dataset."""
    rows: int
    success: bool
    expectations: tuple[ExpectationResult, ...]


@dataclass(frozen=True)
class TrainingStep:
    step: int
    loss: float
    """Mean loss per target token."""
    lr: float
    validation: float | None = None
    """Validation loss per target token; None if it was not computed after this step."""


@dataclass(frozen=True)
class DuplicateCounts:
    kept: str
    """Description of the rule that determines which of several duplicates is kept."""
    pairs: int
    clusters: int
    contradictions: int
    paraphrases: int
    """Number of pairs that may contradict each other in other words; 0 if none were looked for."""


@dataclass(frozen=True)
class SyntheticShare:
    """Synthetic training rows of a task."""

    task: str
    rows: int
    train_rows: int
    """Number of all training rows of the task."""
    auc: float | None
    """AUC of a classifier that tells synthetic from real records; None if they were too few to compare."""


@dataclass(frozen=True)
class StageResults:
    holdings: tuple[DatasetSource, ...] = ()
    flows: tuple[RowCounts, ...] = ()
    protected: tuple[ProtectedText, ...] = ()
    detected: tuple[DetectorFinds, ...] = ()
    nearness: DuplicateCounts | None = None
    sides: tuple[tuple[str, int], ...] = ()
    """Partitions (`train` and `test`) with their numbers of rows."""
    synthetic: tuple[SyntheticShare, ...] = ()
    suites: tuple[SuiteResult, ...] = ()
    curve: tuple[TrainingStep, ...] = ()


def read_stage_results(layout: Layout) -> StageResults:
    sources = _read_result(layout, "ingest").get("sources", [])
    split, deduplicated = _read_result(layout, "split"), _read_result(layout, "deduplicate")
    curve = layout.artefacts("train") / "curve.json"
    return StageResults(
        holdings=source_freshness.read_dataset_sources(layout),
        flows=tuple(_all_row_counts(layout)),
        protected=tuple(map(_protected_text, sources)),
        detected=tuple(finds for source in sources for finds in _detector_finds(source)),
        nearness=_duplicate_counts(deduplicated) if "kept" in deduplicated else None,
        sides=tuple((side, split[f"{side}_rows"]) for side in ("train", "test") if f"{side}_rows" in split),
        synthetic=tuple(_synthetic_shares(layout)),
        suites=tuple(_suite(suite) for suite in _read_result(layout, "validate").get("suites", [])),
        curve=tuple(
            TrainingStep(point["step"], point["loss"], point["lr"], point.get("validation_loss"))
            for point in (read_stage_json(curve) if curve.is_file() else [])
        ),
    )


def _read_result(layout: Layout, stage: str) -> dict[str, Any]:
    path = layout.artefacts(stage) / "result.json"
    return dict(read_stage_json(path)) if path.is_file() else {}


def _all_row_counts(layout: Layout) -> list[RowCounts]:
    ingest, split = _read_result(layout, "ingest"), _read_result(layout, "split")
    flows = [_row_counts("ingest", source["id"], source["counts"]) for source in ingest.get("sources", [])]
    for stage in COUNTED_STAGES[1:-1]:
        by_source = _read_result(layout, stage).get("by_source", {})
        flows += [_row_counts(stage, source, counts) for source, counts in sorted(by_source.items())]
    return flows + ([_row_counts("split", "", split["counts"])] if "counts" in split else [])


def _row_counts(stage: str, source: str, counts: dict[str, Any]) -> RowCounts:
    rules = sorted(counts["quarantined"].items(), key=lambda item: (-item[1], item[0]))
    return RowCounts(stage, source, counts["rows"], counts["records"], tuple(rules), counts.get("not_drawn", 0))


def _synthetic_shares(layout: Layout) -> Iterator[SyntheticShare]:
    compared = {each["task"]: each["auc"] for each in _read_result(layout, "validate").get("synthetic", [])}
    for each in _read_result(layout, "split").get("synthetic", []):
        task = each["task"]
        yield SyntheticShare(task, each["synthetic_train_rows"], each["train_rows"], compared.get(task))


def _duplicate_counts(result: dict[str, Any]) -> DuplicateCounts:
    return DuplicateCounts(
        result["kept"],
        result["near_pairs"],
        result["clusters"],
        result.get("contradictions_kept", 0),
        result.get("paraphrases") or 0,
    )


def _protected_text(source: dict[str, Any]) -> ProtectedText:
    classes = sorted(source.get("protected", {}).items(), key=lambda item: (-item[1], item[0]))
    actions = source.get("actions", {})
    return ProtectedText(source["id"], tuple((name, actions.get(name, ""), count) for name, count in classes))


def _detector_finds(source: dict[str, Any]) -> Iterator[DetectorFinds]:
    for detector, counts in source.get("detected", {}).items():
        for category, count in counts.items():
            yield DetectorFinds(source["id"], detector, category, count["found"], count["added"])


def _suite(suite: dict[str, Any]) -> SuiteResult:
    return SuiteResult(
        name=suite["suite"],
        source=suite["source"] or "",
        rows=suite["rows"],
        success=suite["success"],
        expectations=tuple(
            ExpectationResult(
                about=" ".join(filter(None, (item["column"], item["type"].removeprefix("expect_").replace("_", " ")))),
                why=item["why"],
                success=item["success"],
                breaking=item["unexpected_count"],
            )
            for item in suite["expectations"]
        ),
    )
