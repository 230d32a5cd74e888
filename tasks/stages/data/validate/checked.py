"""What validation says of a suite and of each expectation in it."""

from typing import Any

from tasks.core.config import Frozen
from tasks.sources.sources import Suite


class CheckedExpectation(Frozen):
    type: str
    column: str | None
    """Null where it is about the table or several columns."""
    why: str
    success: bool
    unexpected_count: int | None
    """Rows that break it; null where it is about an aggregate."""
    unexpected_percent: float | None
    """Of the rows that are not null."""
    observed: float | None
    """The aggregate, where it is one that no record holds itself."""


class CheckedSuite(Frozen):
    suite: str
    source: str | None
    """Null for the dataset as a whole."""
    rows: int
    success: bool
    expectations: list[CheckedExpectation]

    @property
    def page(self) -> str:
        """Its file in Data Docs."""
        return f"{'source-' + self.source if self.source else 'dataset'}.html"


def summary(suite: Suite, source: str | None, rows: int, result: Any) -> CheckedSuite:
    """The suite's outcome from GE's scrubbed result."""
    expectations = [
        CheckedExpectation(
            type=expectation.type,
            column=expectation.kwargs.get("column"),
            why=expectation.why,
            success=bool(item.success),
            unexpected_count=item.result.get("unexpected_count"),
            unexpected_percent=item.result.get("unexpected_percent"),
            observed=item.result.get("observed_value"),
        )
        for expectation, item in zip(suite.expectations, result.results, strict=True)
    ]
    success = all(expectation.success for expectation in expectations)
    return CheckedSuite(suite=suite.name, source=source, rows=rows, success=success, expectations=expectations)
