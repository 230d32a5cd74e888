"""Worst failures of the candidate: failed cases of suites by severity, then confidently wrong answers to test rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tasks.stages.evaluate.judged_rows import JudgedRow
from tasks.stages.evaluate.report.suite_section import SuiteSection
from tasks.stages.evaluate.suites.suite import SEVERITIES

MAX_CASES = 6
MAX_CASES_OF_SUITE = 2
MAX_ROWS = 3


@dataclass(frozen=True)
class WorstFailure:
    badge: str
    """Severity of the case, or confidence of the wrong answer."""
    title: str
    why: str
    prompt: str
    answer: str
    anchor: str
    """Id of the section of the page that has more of the kind."""


def find_worst_failures(suites: SuiteSection, rows: Sequence[JudgedRow]) -> list[WorstFailure]:
    """Return at most MAX_CASES failed cases, the most severe first, and at most MAX_ROWS wrong answers.

    At most MAX_CASES_OF_SUITE cases are of one suite, so that one weakness does not hide the others.
    """
    return [*_cases(suites)[:MAX_CASES], *_confident_rows(rows)]


def _cases(suites: SuiteSection) -> list[WorstFailure]:
    failed = [(reported.result, case) for reported in suites.suites for case in reported.quoted[:MAX_CASES_OF_SUITE]]
    failed.sort(key=lambda each: SEVERITIES.index(each[1].severity))
    return [
        WorstFailure(case.severity, result.title, case.why, case.prompt, case.answer, f"suite-{result.name}")
        for result, case in failed
    ]


def _confident_rows(rows: Sequence[JudgedRow]) -> Iterator[WorstFailure]:
    wrong = [(said.confidence, row) for row in rows if (said := row.said["candidate"]).confidence and not said.right]
    wrong.sort(key=lambda each: (-each[0], each[1].record_id))
    for confidence, row in wrong[:MAX_ROWS]:
        said = row.said["candidate"]
        why = f"expected {row.expected}"
        yield WorstFailure(f"{confidence:.1%} sure", "Test row", why, row.prompt, said.text, "examples")
