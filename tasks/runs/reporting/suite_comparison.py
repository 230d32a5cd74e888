"""Paired comparison of two runs' candidates on the cases of evaluation suites.

Each run has already judged its own answers. A case is compared only if both runs asked the same prompt, expected the
same answer and used the same judge, so a changed suite is compared in what it kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.core import files
from tasks.core.documents.config import FrozenModel
from tasks.core.layout import Layout
from tasks.core.records import record
from tasks.stages.evaluate.suites import outcome_comparison
from tasks.stages.evaluate.suites.results_schema import SuiteComparison
from tasks.stages.evaluate.suites.statistics import Outcomes
from tasks.stages.evaluate.suites.suite import EvaluationSuite, WrittenCase, read_suites

COLUMNS = ["suite", "case", "prompt", "expected", "candidate_status"]


class ComparedSuite(FrozenModel):
    """Comparison of one suite. The second run's candidate is compared with the first run's."""

    suite: str
    before: int | None
    """Version of the suite in the first run; null if that run did not ask it."""
    now: int | None
    """Version of the suite in the second run; null if that run did not ask it."""
    cases: int
    """Number of cases that are the same in both runs."""
    only_before: int
    """Number of cases that the second run did not ask, or asked or judged differently."""
    only_now: int
    """Number of cases that the first run did not ask, or asked or judged differently."""
    comparison: SuiteComparison | None
    """Null if no case is the same. The p-values are corrected over all compared suites."""


@dataclass(frozen=True)
class _AskedCase:
    question: tuple[str, str, str | None]
    """Judge and what it compares with, as text; prompt; expected answer. Cases that differ in it are not compared."""
    passed: bool
    cluster: str


def compare_suites(before: Layout, now: Layout) -> list[ComparedSuite]:
    """Compare each suite that one of the runs has asked, sorted by name. The list is empty if none has asked any.

    Raises:
        OSError: A file of the suites cannot be read.
        ValueError: A file of the suites is malformed.
        KeyError: A file of the suites lacks a value.
    """
    first, second = _Suites(before), _Suites(now)
    names = sorted(first.cases.keys() | second.cases.keys())
    confidence = _read_confidence(now if second.cases else before) if names else 0.0
    compared = [_compare(name, first, second, confidence) for name in names]
    found = [each.comparison for each in compared if each.comparison]
    corrected = iter(outcome_comparison.correct_p_values(found, confidence))
    return [each.model_copy(update={"comparison": next(corrected)}) if each.comparison else each for each in compared]


def comparison_sentence(found: ComparedSuite) -> str:
    """Return the result in one line of plain text."""
    versions = "" if found.before == found.now else f" (version {found.before or 'none'}, now {found.now or 'none'})"
    if not (it := found.comparison):
        return f"{found.suite}{versions}: no case is the same in both runs"
    left_out = f"; not compared: {found.only_before:,} of the first, {found.only_now:,} of the second"
    return (
        f"{found.suite}{versions}: {it.gain.value:+.3f} [{it.gain.low:+.3f}, {it.gain.high:+.3f}] on "
        f"{found.cases:,} cases, gained {it.gained:,}, lost {it.lost:,}, {it.verdict} (p = {it.p_holm:.3g})"
        f"{left_out if found.only_before or found.only_now else ''}"
    )


class _Suites:
    """Suites that a run has asked, and its candidate's cases by suite and case id."""

    def __init__(self, layout: Layout) -> None:
        self.cases: dict[str, dict[str, _AskedCase]] = {}
        self.versions: dict[str, int] = {}
        path = layout.artefacts("suites") / "cases.parquet"
        if not path.exists():
            return
        suites = {suite.name: suite for suite in read_suites(layout.evaluations_path)}
        listed = {(suite.name, case.id): case for suite in suites.values() for case in suite.cases}
        for row in record.read_table(path, COLUMNS).to_pylist():
            suite = suites[row["suite"]]
            self.versions[suite.name] = suite.version
            asked = _asked_case(suite, listed.get((suite.name, row["case"])), row)
            self.cases.setdefault(suite.name, {})[row["case"]] = asked


def _asked_case(suite: EvaluationSuite, listed: WrittenCase | None, row: Mapping[str, Any]) -> _AskedCase:
    judge = (listed.judge if listed else None) or suite.judge
    with_what = "" if listed or not suite.derived else suite.derived.compare_with
    return _AskedCase(
        question=(f"{judge.model_dump_json()} {with_what}", row["prompt"], row["expected"]),
        passed=row["candidate_status"] == "passed",
        cluster=row["case"] if listed else row["case"].partition(".")[0],
    )


def _compare(name: str, before: _Suites, now: _Suites, confidence: float) -> ComparedSuite:
    had, has = before.cases.get(name, {}), now.cases.get(name, {})
    both = sorted(case for case in had.keys() & has.keys() if had[case].question == has[case].question)
    clusters = [has[case].cluster for case in both]
    first, second = (Outcomes([of[case].passed for case in both], clusters) for of in (had, has))
    return ComparedSuite(
        suite=name,
        before=before.versions.get(name),
        now=now.versions.get(name),
        cases=len(both),
        only_before=len(had) - len(both),
        only_now=len(has) - len(both),
        comparison=outcome_comparison.compare_outcomes(second, first, confidence) if both else None,
    )


def _read_confidence(layout: Layout) -> float:
    return float(files.read_stage_json(layout.artefacts("suites") / "suites.json")["confidence"])
