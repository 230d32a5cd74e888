"""Evaluation of suites as Great Expectations checkpoints on pandas data. Results contain no value of a record.

Great Expectations (GE) keeps samples of unexpected values in its results, and observed values such as the largest text
of a column. Every result is reduced to counts before it leaves this module.
"""

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from numbers import Real
from typing import TYPE_CHECKING, Any

from tasks.core.errors import InputError
from tasks.sources.expectation_suites import Expectation, ExpectationSuite
from tasks.stages.data.validate.ages import AGE_COLUMNS
from tasks.stages.data.validate.ge_expectations import KeptCategories, expectation_columns, to_ge_expectation

if TYPE_CHECKING:
    import pandas as pd

COUNT_KEYS = (
    "element_count",
    "unexpected_count",
    "unexpected_percent",
    "unexpected_percent_total",
    "unexpected_percent_nonmissing",
    "missing_count",
    "missing_percent",
)
"""Keys of a Great Expectations result that hold only counts or percentages."""
NUMERIC_COLUMNS = ("prompt_chars", "target_chars", *AGE_COLUMNS)
"""Columns with a number about a record, such as its length, which reveals nothing of its content."""
AGGREGATE_EXPECTATIONS = (
    "expect_column_unique_value_count_to_be_between",
    "expect_column_proportion_of_unique_values_to_be_between",
    "expect_column_proportion_of_non_null_values_to_be_between",
)
"""Column expectations whose observed value is a count or a proportion, whatever the column contains."""
FIXED_RUN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Time passed to Great Expectations for every run. It is constant, because the digest of the results must not depend
on the real time."""


@dataclass(frozen=True)
class TableExpectations:
    """Table and the expectations about it, which are given by their positions in the suite."""

    positions: Sequence[int]
    frame: "pd.DataFrame"


def evaluate_suite(
    suite: ExpectationSuite, source: str | None, tables: Iterable[TableExpectations], kept_categories: KeptCategories
) -> Any:
    """Evaluate a suite on its tables, and return GE's ExpectationSuiteValidationResult without values of records.

    The results are in the order of the suite. A failed expectation is a result rather than an error.

    Raises:
        InputError: An expectation cannot be evaluated on its table.
    """
    where = f"suite {suite.name} ({f'source {source}' if source else 'dataset'})"
    validations = [_validate(suite, where, part, kept_categories) for part in tables]
    validation = validations[0]
    validation.results = sorted(
        (item for part in validations for item in part.results),
        key=lambda item: item.expectation_config.meta["position"],
    )
    for item, expectation in zip(validation.results, suite.expectations, strict=True):
        _refuse_exception(item, expectation, where)
        item.result = scrub_result(item.result, expectation)
    return validation


def scrub_result(result: dict[str, Any], expectation: Expectation) -> dict[str, Any]:
    """Return an expectation's counts, and the observed value if it reveals nothing of a record's content."""
    # Without a percentage the count is one of distinct values, on which GE's renderer fails.
    kept = {name: result[name] for name in COUNT_KEYS if name in result and "unexpected_percent" in result}
    observed, column = result.get("observed_value"), expectation.kwargs.get("column")
    harmless = (
        column in NUMERIC_COLUMNS
        or expectation.type.startswith("expect_table_")
        or expectation.type in AGGREGATE_EXPECTATIONS
    )
    if harmless and isinstance(observed, Real):
        kept["observed_value"] = float(observed)
    return kept


def _validate(suite: ExpectationSuite, where: str, asked: TableExpectations, spared: KeptCategories) -> Any:
    import great_expectations as gx

    context = create_context()
    questions = gx.ExpectationSuite(name=suite.name)
    for position in asked.positions:
        question = to_ge_expectation(suite.expectations[position], position, where, asked.frame, spared)
        alike = [(type(other), other.configuration.kwargs) for other in questions.expectations]
        if (type(question), question.configuration.kwargs) in alike:  # GE would drop one of them silently
            raise InputError(f"{where}: {suite.expectations[position].type} is asked twice alike; keep one of them")
        questions.add_expectation(question)
    asset = context.data_sources.add_pandas("records").add_dataframe_asset(suite.name)
    validation = gx.ValidationDefinition(
        name=suite.name,
        data=asset.add_batch_definition_whole_dataframe("all"),
        suite=context.suites.add(questions),
    )
    context.validation_definitions.add(validation)
    checkpoint = context.checkpoints.add(
        gx.Checkpoint(name=suite.name, validation_definitions=[validation], result_format="SUMMARY")
    )
    with warnings.catch_warnings():
        # The regular expressions of a suite may have groups, about each of which pandas warns.
        warnings.filterwarnings("ignore", "This pattern is interpreted as a regular expression", UserWarning)
        result = checkpoint.run(batch_parameters={"dataframe": asked.frame}, run_id=_run_id())
    return next(iter(result.run_results.values()))


def create_context() -> Any:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig
    from great_expectations.execution_engine import pandas_execution_engine

    # GE computes a fingerprint of smaller frames from a Python string of each text, and nothing reads the fingerprint.
    pandas_execution_engine.HASH_THRESHOLD = 0
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    return context


def _run_id() -> Any:
    from great_expectations.core.run_identifier import RunIdentifier

    return RunIdentifier(run_name="hallmark", run_time=FIXED_RUN_TIME)


def _refuse_exception(item: Any, expectation: Expectation, where: str) -> None:
    """Raise InputError for an expectation that could not be computed.

    The message of Great Expectations may quote values, so only the class of its exception is reported.
    """
    info = item.exception_info or {}
    raised = [part for part in (info, *info.values()) if isinstance(part, dict) and part.get("raised_exception")]
    if raised:
        kinds = re.findall(r"^([\w.]*(?:Error|Exception|Warning))\b", str(raised[0].get("exception_traceback")), re.M)
        raise InputError(
            f"{where}: {expectation.type} cannot be computed on "
            f"{', '.join(expectation_columns(expectation)) or 'the table'} "
            f"({kinds[0] if kinds else 'exception'}); compare its arguments with the type of the column"
        )
