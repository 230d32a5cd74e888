"""Results of a suite and of each of its expectations."""

from typing import Any

from tasks.core.documents.config import FrozenModel
from tasks.sources.expectation_suites import ExpectationSuite


class ExpectationResult(FrozenModel):
    type: str
    column: str | None
    """Column of the expectation; null if the expectation is about the table or about several columns."""
    why: str
    success: bool
    unexpected_count: int | None
    """Number of rows that violate the expectation; null if the expectation is about an aggregate."""
    unexpected_percent: float | None
    """Percentage of the non-null rows that violate the expectation."""
    observed: float | None
    """Observed aggregate; null unless it is a number that reveals nothing of a record's content."""


class SuiteResult(FrozenModel):
    suite: str
    source: str | None
    """Source of the records; null for the dataset as a whole."""
    rows: int
    success: bool
    expectations: list[ExpectationResult]

    @property
    def page(self) -> str:
        """File name of the suite's page in Data Docs."""
        return f"{'source-' + self.source if self.source else 'dataset'}.html"


def suite_result(suite: ExpectationSuite, source: str | None, rows: int, result: Any) -> SuiteResult:
    expectations = [
        ExpectationResult(
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
    return SuiteResult(suite=suite.name, source=source, rows=rows, success=success, expectations=expectations)
