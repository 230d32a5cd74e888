"""What the other stages say of themselves, for the report: rows in and out, suites, training.

Read from their result.json, so that this room imports none of theirs. A stage that left nothing is left out.
"""

from dataclasses import dataclass
from typing import Any

from tasks.core.files import read_json
from tasks.core.layout import Layout
from tasks.sources.dataset import STAGES
from tasks.stages.evaluate.report import holdings
from tasks.stages.evaluate.report.holdings import Holding


@dataclass(frozen=True)
class Flow:
    """Rows through a stage: rows = records + everything quarantined + what was not drawn."""

    stage: str
    source: str
    """Empty for all sources together."""
    rows: int
    records: int
    quarantined: tuple[tuple[str, int], ...]
    """Rule and rows, most rows first."""
    not_drawn: int = 0

    @property
    def removed(self) -> int:
        return sum(rows for _, rows in self.quarantined)


@dataclass(frozen=True)
class Protected:
    """What was found in a source and what was done with it, class by class."""

    source: str
    classes: tuple[tuple[str, str, int], ...]
    """Class, action and stretches of text, most first."""


@dataclass(frozen=True)
class Expectation:
    """One expectation of a suite, with its owner's reason and its outcome."""

    about: str
    why: str
    success: bool
    breaking: int | None
    """Rows that break it; None where it is about an aggregate."""


@dataclass(frozen=True)
class Suite:
    name: str
    source: str
    """Empty for the dataset as a whole."""
    rows: int
    success: bool
    expectations: tuple[Expectation, ...]


@dataclass(frozen=True)
class Point:
    """One optimizer step of the training: mean loss per target token, learning rate, tokens so far."""

    step: int
    loss: float
    lr: float
    validation: float | None = None
    """Loss per target token of the validation rows, where they were looked at."""


@dataclass(frozen=True)
class Nearness:
    """How records that repeat or contradict each other were looked for, and what of them stays together."""

    kept: str
    """Which of several is kept, in words."""
    pairs: int
    """Pairs of prompts found near-identical."""
    clusters: int
    """Groups of kept records that stand on one side of the split."""
    contradictions: int
    """Records kept though another one that is kept contradicts them."""


@dataclass(frozen=True)
class Account:
    holdings: tuple[Holding, ...] = ()
    flows: tuple[Flow, ...] = ()
    protected: tuple[Protected, ...] = ()
    nearness: Nearness | None = None
    sides: tuple[tuple[str, int], ...] = ()
    """Rows that train and test hold."""
    suites: tuple[Suite, ...] = ()
    curve: tuple[Point, ...] = ()


def read(layout: Layout) -> Account:
    """Everything that is there."""
    split, deduplicated = _result(layout, "split"), _result(layout, "deduplicate")
    curve = layout.stage("train") / "curve.json"
    return Account(
        holdings=holdings.read(layout),
        flows=tuple(_flows(layout)),
        protected=tuple(_protected(source) for source in _result(layout, "ingest").get("sources", [])),
        nearness=_nearness(deduplicated) if "kept" in deduplicated else None,
        sides=tuple((side, split[f"{side}_rows"]) for side in ("train", "test") if f"{side}_rows" in split),
        suites=tuple(_suite(suite) for suite in _result(layout, "validate").get("suites", [])),
        curve=tuple(
            Point(point["step"], point["loss"], point["lr"], point.get("validation_loss"))
            for point in (read_json(curve) if curve.is_file() else [])
        ),
    )


def _result(layout: Layout, stage: str) -> dict[str, Any]:
    path = layout.stage(stage) / "result.json"
    return dict(read_json(path)) if path.is_file() else {}


def _flows(layout: Layout) -> list[Flow]:
    ingest, split = _result(layout, "ingest"), _result(layout, "split")
    flows = [_flow("ingest", source["id"], source["counts"]) for source in ingest.get("sources", [])]
    for stage in STAGES[1:-1]:
        by_source = _result(layout, stage).get("by_source", {})
        flows += [_flow(stage, source, counts) for source, counts in sorted(by_source.items())]
    return flows + ([_flow("split", "", split["counts"])] if "counts" in split else [])


def _flow(stage: str, source: str, counts: dict[str, Any]) -> Flow:
    rules = sorted(counts["quarantined"].items(), key=lambda item: (-item[1], item[0]))
    return Flow(stage, source, counts["rows"], counts["records"], tuple(rules), counts.get("not_drawn", 0))


def _nearness(result: dict[str, Any]) -> Nearness:
    return Nearness(result["kept"], result["near_pairs"], result["clusters"], result.get("contradictions_kept", 0))


def _protected(source: dict[str, Any]) -> Protected:
    classes = sorted(source.get("protected", {}).items(), key=lambda item: (-item[1], item[0]))
    actions = source.get("actions", {})
    return Protected(source["id"], tuple((name, actions.get(name, ""), count) for name, count in classes))


def _suite(suite: dict[str, Any]) -> Suite:
    return Suite(
        name=suite["suite"],
        source=suite["source"] or "",
        rows=suite["rows"],
        success=suite["success"],
        expectations=tuple(
            Expectation(
                about=" ".join(filter(None, (item["column"], item["type"].removeprefix("expect_").replace("_", " ")))),
                why=item["why"],
                success=item["success"],
                breaking=item["unexpected_count"],
            )
            for item in suite["expectations"]
        ),
    )
