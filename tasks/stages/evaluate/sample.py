"""Fixed sample of the held-out rows for the base model. The champion and the candidate answer every row.

The base model rarely ends its turn, so most of its answers take the full `max_new_tokens`. A few hundred rows are
enough to show how much better a fine-tuned model is (docs/decisions/0007-a-sample-for-the-base-model.md).
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.core.params.evaluation import Evaluation
from tasks.stages.evaluate.model_names import ModelName

STRATIFICATION_FIELDS = ("source_id", "kind", "language", "department")
"""Fields by which the sample is stratified, in this order, followed by the target."""

Row = Mapping[str, Any]


def rows_to_answer(model_name: ModelName, rows: Sequence[Row], settings: Evaluation) -> list[Row]:
    """Return the rows that a model answers, in the given order. The base model answers at most `base_rows` of them."""
    most = settings.base_rows
    return list(rows) if model_name != "base" or most is None else draw_rows(rows, most, settings.seed)


def draw_rows(rows: Sequence[Row], most: int, seed: int | str) -> list[Row]:
    """Return a sample of at most `most` rows, in the given order.

    The sample is systematic: rows are sorted by strata and target, with ties in a seeded random order, and are then
    selected at equal intervals. The sample depends on the rows and the seed, but not on the order of the rows.
    """
    if len(rows) <= most:
        return list(rows)
    order = sorted(range(len(rows)), key=lambda place: _sort_key(rows[place], seed))
    drawn = sorted(order[(2 * number + 1) * len(rows) // (2 * most)] for number in range(most))
    return [rows[place] for place in drawn]


def _sort_key(row: Row, seed: int | str) -> tuple[str, ...]:
    random_digest = hashlib.sha256(f"{seed}:{row['record_id']}".encode()).hexdigest()
    return (*(row[name] or "" for name in STRATIFICATION_FIELDS), row["messages"][-1]["content"], random_digest)
