"""Expectation suites whose limits are based on a sample, and are wide enough for the next file of the same kind.

If every new file exceeded a limit, its owner would learn to ignore failures. Minimum counts are therefore half of the
sample's, and maximum lengths are twice the sample's. Twice as many rows can be repeats, and one in twenty can have a
new label.
"""

import math
from collections.abc import Sequence
from typing import Any

from tasks.core.formatting import format_share
from tasks.scaffold.sample_statistics import SampleStatistics

Suite = dict[str, Any]
MAX_REPEATED_SHARE = 0.5
MIN_LISTED_SHARE = 0.95
"""Minimum fraction of rows whose label must be in the suite's list."""
MAX_LISTED_VALUES = 50
"""Maximum number of languages or departments that a suite lists."""


def source_suite(name: str, sample: SampleStatistics, mapping: dict[str, Any]) -> Suite:
    (low, high), rows = sample.prompt_chars, sample.rows
    expectations = [
        _make_expectation("expect_table_row_count_to_be_between", {"min_value": max(1, rows // 2)},
             f"The file that this was drawn from has {rows:,} rows; half of that is an export that broke off."),
        _make_expectation("expect_column_values_to_not_be_null", {"column": "prompt"}, "A record without a question "
                                                                                  "teaches none."),
        _make_expectation("expect_column_values_to_be_between",
             {"column": "prompt_chars", "min_value": max(1, low // 2), "max_value": round_up(2 * high)},
             f"What is asked has {low:,} to {high:,} characters; twice as many would be something else."),
        _make_expectation("expect_column_values_to_not_be_in_set",
             {"column": "outcome", "value_set": ["exact_duplicate", "near_duplicate"],
             "mostly": _min_unrepeated_share(sample)},
             "More repeats than that would be the file twice."),
    ]  # fmt: skip
    if sample.labels and (labels := sample.listable_values(sample.targets, MIN_LISTED_SHARE)):
        labels = [label for label in labels if label not in sample.near_equal_labels]
        why = f"The file has these {len(labels)}; one row in twenty may have a new one before somebody should look."
        expectations.append(_value_set_expectation("target", labels, why))
    for key, seen in (("language", sample.languages), ("department", sample.departments)):
        values = sample.listable_values(seen, MIN_LISTED_SHARE) if len(seen) <= MAX_LISTED_VALUES else []
        if key in mapping and values:
            why = "The file has these; another is new or misspelt."
            expectations.append(_value_set_expectation(key, values, why))
    if sample.date_range:
        expectations.append(
            _make_expectation("expect_column_values_to_be_between", {"column": "retention_days_left", "min_value": 0},
                 "What is past its retention was to be deleted, and must not live on in a model.")
        )  # fmt: skip
    return {"name": name, "expectations": expectations}


def dataset_suite(name: str, samples: Sequence[SampleStatistics]) -> Suite:
    distinct = sum(sample.distinct_prompts for sample in samples) / sum(sample.records for sample in samples)
    expectations = [
        _make_expectation("expect_column_values_to_be_unique", {"column": "record_id"},
             "Lineage needs one name for each record."),
        _make_expectation("expect_column_proportion_of_unique_values_to_be_between",
             {"column": "prompt", "min_value": math.floor(max(0.1, distinct - 0.15) * 100) / 100},
             f"{format_share(distinct)} of the prompts are different; repeated ones make figures look better than they "
             "are."),
        _make_expectation("expect_column_values_to_not_be_in_set", {"column": "outcome", "value_set": ["undetectable"]},
             "A text that cannot be read to its end cannot be cleared of what is personal."),
        _make_expectation("expect_texts_to_hold_nothing_protected",
             {"columns": ["prompt", "target"], "sample": 400, "at_most": 0.01},
             "Names and numbers of people stay out of models; these records are looked at again."),
    ]  # fmt: skip
    return {"name": name, "expectations": expectations}


def round_up(number: float) -> int:
    """Round up to two significant digits: 1,234 becomes 1,300."""
    step = 10 ** max(0, len(str(math.ceil(number))) - 2)
    return math.ceil(number / step) * step


def _min_unrepeated_share(sample: SampleStatistics) -> float:
    """Return the minimum fraction of rows that are not repeats. Twice as many repeats as in the sample are allowed.

    The allowance is never below 10 % or above 50 % of the rows.
    """
    return round(1 - min(MAX_REPEATED_SHARE, max(0.1, 2 * sample.repeated_records / sample.records)), 2)


def _make_expectation(kind: str, kwargs: dict[str, Any], why: str) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs, "why": why}


def _value_set_expectation(column: str, values: list[str], why: str) -> dict[str, Any]:
    kwargs = {"column": column, "value_set": values, "mostly": MIN_LISTED_SHARE}
    return _make_expectation("expect_column_values_to_be_in_set", kwargs, why)
