"""Expectation suites with limits from a sample, wide enough for the next file of the same kind.

If next month's file exceeds a limit, its owner learns to ignore failures. Minimum counts are therefore half of today's,
maximum lengths are twice today's, and twice as many new labels and repeated rows are allowed.
"""

import math
from typing import Any

from tasks.core.formatting import format_share
from tasks.scaffold.sample_statistics import SampleStatistics

Suite = dict[str, Any]
MAX_REPEATED_SHARE = 0.5


def source_suite(name: str, sample: SampleStatistics, rows: int, mapping: dict[str, Any]) -> Suite:
    low, high = sample.prompt_chars
    expectations = [
        _expectation("expect_table_row_count_to_be_between", {"min_value": max(1, rows // 2)},
             f"The file that this was drawn from has {rows:,} rows; half of that is an export that broke off."),
        _expectation("expect_column_values_to_not_be_null", {"column": "prompt"}, "A record without a question "
                                                                                  "teaches none."),
        _expectation("expect_column_values_to_be_between",
             {"column": "prompt_chars", "min_value": max(1, low // 2), "max_value": round_up(2 * high)},
             f"What is asked has {low:,} to {high:,} characters; twice as many would be something else."),
        _expectation("expect_column_values_to_not_be_in_set",
             {"column": "outcome", "value_set": ["exact_duplicate", "near_duplicate"],
             "mostly": _min_unrepeated_share(sample)},
             "More repeats than that would be the file twice."),
    ]  # fmt: skip
    if labels := sample.labels:
        why = f"The file has these {len(labels)}; one row in twenty may have a new one before somebody should look."
        expectations.append(_in_set("target", labels, why, mostly=0.95))
    for key, seen in (("language", sample.languages), ("department", sample.departments)):
        if key in mapping and len(seen) <= 50:
            expectations.append(
                _in_set(key, sorted(seen), "The file has these; another is new or misspelt.", mostly=0.95)
            )
    if sample.dates:
        expectations.append(
            _expectation("expect_column_values_to_be_between", {"column": "retention_days_left", "min_value": 0},
                 "What is past its retention was to be deleted, and must not live on in a model.")
        )  # fmt: skip
    return {"name": name, "expectations": expectations}


def dataset_suite(name: str, sample: SampleStatistics) -> Suite:
    distinct = sample.prompts / sample.records
    expectations = [
        _expectation("expect_column_values_to_be_unique", {"column": "record_id"}, "Lineage needs one name for each "
                                                                                   "record."),
        _expectation("expect_column_proportion_of_unique_values_to_be_between",
             {"column": "prompt", "min_value": math.floor(max(0.1, distinct - 0.15) * 100) / 100},
             f"{format_share(distinct)} of the prompts are different; repeated ones make figures look better than they "
             "are."),
        _expectation("expect_column_values_to_not_be_in_set", {"column": "outcome", "value_set": ["undetectable"]},
             "A text that cannot be read to its end cannot be cleared of what is personal."),
        _expectation("expect_texts_to_hold_nothing_protected",
             {"columns": ["prompt", "target"], "sample": 400, "at_most": 0.01},
             "Names and numbers of people stay out of models; these records are looked at again."),
    ]  # fmt: skip
    return {"name": name, "expectations": expectations}


def round_up(number: float) -> int:
    """Round up to two significant digits: 1,234 becomes 1,300."""
    step = 10 ** max(0, len(str(math.ceil(number))) - 2)
    return math.ceil(number / step) * step


def _min_unrepeated_share(sample: SampleStatistics) -> float:
    """Return the minimum share of unrepeated rows. It allows twice the sample's repeats, and at least 10 %."""
    return round(1 - min(MAX_REPEATED_SHARE, max(0.1, 2 * sample.repeated / sample.records)), 2)


def _expectation(kind: str, kwargs: dict[str, Any], why: str) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs, "why": why}


def _in_set(column: str, values: list[str], why: str, mostly: float) -> dict[str, Any]:
    return _expectation(
        "expect_column_values_to_be_in_set", {"column": column, "value_set": values, "mostly": mostly}, why
    )
