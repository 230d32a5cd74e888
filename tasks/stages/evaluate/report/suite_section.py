"""Contents of the report's section on evaluation suites."""

from dataclasses import dataclass
from typing import Any

from tasks.core.files import read_stage_json
from tasks.core.layout import Layout
from tasks.core.records import record
from tasks.stages.evaluate.suites.results_schema import SuiteResult, SuiteResults

MAX_QUOTED_CASES = 4


@dataclass(frozen=True)
class QuotedCase:
    """Case that the candidate has not passed, as the report quotes it."""

    case: str
    severity: str
    why: str
    prompt: str
    answer: str


@dataclass(frozen=True)
class ReportedSuite:
    result: SuiteResult
    quoted: list[QuotedCase]


@dataclass(frozen=True)
class SuiteSection:
    confidence: float
    suites: list[ReportedSuite]
    not_asked: list[str]
    """Names of suites without a case here."""


def read_suite_section(layout: Layout) -> SuiteSection:
    """Read the results of the evaluation suites in artefacts/suites/.

    Raises:
        InputError: A file of the stage `suites` is missing or cannot be read.
    """
    folder = layout.artefacts("suites")
    results = SuiteResults.model_validate(read_stage_json(folder / "suites.json"))
    rows = {(row["suite"], row["case"]): row for row in record.read_table(folder / "cases.parquet").to_pylist()}
    return SuiteSection(
        results.confidence,
        [ReportedSuite(result, _quoted_cases(result, rows)) for result in results.suites],
        results.not_asked,
    )


def _quoted_cases(result: SuiteResult, rows: dict[tuple[str, str], dict[str, Any]]) -> list[QuotedCase]:
    failed = [(failure, rows[result.name, failure.case]) for failure in result.failures[:MAX_QUOTED_CASES]]
    return [
        QuotedCase(failure.case, failure.severity, failure.why, row["prompt"], row["candidate_answer"])
        for failure, row in failed
    ]
