"""Conversion of a suite's expectations to objects of Great Expectations, and the columns that they are about."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tasks.core.errors import InputError
from tasks.sources.expectation_suites import Expectation
from tasks.stages.data.validate import outcomes
from tasks.stages.data.validate.frame import FIELD_PREFIX, KNOWN_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

UNSUPPORTED_EXPECTATION = "expect_column_quantile_values_to_be_between"
"""Expectation that is refused, because Great Expectations 1.24 cannot write its result for pandas data: NumPy's
booleans are not JSON."""
TEXTS_EXPECTATION = "expect_texts_to_hold_nothing_protected"
COLUMN_SET_PREFIX = "expect_table_column"
"""Type prefix of expectations about the set of columns of a table."""
KeptCategories = Mapping[str, list[str]]
"""Categories that texts may contain, by source: those whose action in sources.yaml is `keep`."""


def is_about_source_rows(expectation: Expectation) -> bool:
    """Return whether an expectation is about what became of the source rows, and not about the remaining records."""
    return expectation.kwargs.get("column") == outcomes.OUTCOME_COLUMN


def columns_used(expectations: Iterable[Expectation]) -> set[str] | None:
    """Return the record columns that expectations use; None if they use all columns."""
    listed = list(expectations)
    if any(expectation.type.startswith(COLUMN_SET_PREFIX) for expectation in listed):
        return None
    return {
        name for expectation in listed for name in (*expectation_columns(expectation), *_condition_columns(expectation))
    }


def expectation_columns(expectation: Expectation) -> Iterator[str]:
    if expectation.type == TEXTS_EXPECTATION:
        from tasks.stages.data.validate.own_expectations.texts_hold_nothing_protected import COLUMNS, NEEDED

        yield from (*map(str, expectation.kwargs.get("columns", COLUMNS)), *NEEDED)
    for name in ("column", "column_A", "column_B"):
        if name in expectation.kwargs:
            yield str(expectation.kwargs[name])
    if "table" not in expectation.type:
        yield from map(str, expectation.kwargs.get("column_list", []))


def to_ge_expectation(
    expectation: Expectation, position: int, where: str, frame: "pd.DataFrame", kept_categories: KeptCategories
) -> Any:
    """Create the Great Expectations object for an expectation.

    Raises:
        InputError: The type of the expectation, a column, an argument or an outcome is unknown.
    """
    kind = _expectation_class(expectation, where)
    missing = sorted(set(expectation_columns(expectation)) - set(frame.columns))
    if missing:
        raise InputError(
            f"{where}: {expectation.type} is about {', '.join(map(repr, missing))}, which the records do not have; "
            f"they have {', '.join(KNOWN_COLUMNS)}, {FIELD_PREFIX}FIELD for each field of JSON targets, and "
            f"{outcomes.OUTCOME_COLUMN} of every row of their sources"
        )
    if is_about_source_rows(expectation):
        _refuse_unknown_outcomes(expectation, where, frame)
    given = {"spared": dict(kept_categories)} if expectation.type == TEXTS_EXPECTATION else {}
    try:
        return kind(**expectation.kwargs, **given, meta={"position": position, "notes": expectation.why})
    except (TypeError, ValueError) as error:  # pydantic's ValidationError is a ValueError
        raise InputError(f"{where}: {expectation.type}: {' '.join(str(error).split())}") from None


def _expectation_class(expectation: Expectation, where: str) -> Any:
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import (
        get_expectation_impl,
        list_registered_expectation_implementations,
    )

    from tasks.stages.data.validate.own_expectations import texts_hold_nothing_protected  # noqa: F401  # registers it

    if expectation.type == UNSUPPORTED_EXPECTATION:
        raise InputError(
            f"{where}: {UNSUPPORTED_EXPECTATION} does not work here; ask for the median, minimum or maximum instead"
        )
    try:
        return get_expectation_impl(expectation.type)
    except ExpectationNotFoundError:
        known = ", ".join(sorted(list_registered_expectation_implementations()))
        raise InputError(f"{where}: there is no expectation {expectation.type!r}; there are {known}") from None


def _refuse_unknown_outcomes(expectation: Expectation, where: str, frame: "pd.DataFrame") -> None:
    """Refuse an outcome that no row can have, such as a misspelt one.

    Otherwise, an expectation that no row has this outcome would always succeed.
    """
    possible = list(frame[outcomes.OUTCOME_COLUMN].cat.categories)
    unknown = sorted(set(map(str, expectation.kwargs.get("value_set") or [])) - set(possible))
    if unknown:
        unsought = set(unknown) & set(outcomes.NEAR_DUPLICATE_RULES)
        why = "; params.yaml: data.near_duplicates is null, so nobody looked for them" if unsought else ""
        raise InputError(
            f"{where}: {expectation.type} is about outcome {', '.join(map(repr, unknown))}, which no row can have"
            f"{why}; there are {', '.join(possible)}"
        )


def _condition_columns(expectation: Expectation) -> Iterator[str]:
    condition = str(expectation.kwargs.get("row_condition", ""))
    words = re.findall(r"[\w.-]+", condition) + re.findall(r"""[`"']([^`"']+)[`"']""", condition)
    yield from (word for word in words if word in KNOWN_COLUMNS or word.startswith(FIELD_PREFIX))
