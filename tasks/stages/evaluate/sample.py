"""Which held-out rows the base model answers: a fixed sample, since it seldom ends a turn by itself.

Every row costs it `max_new_tokens` whole, and a few hundred rows show what a fine-tuned model gains over it
(docs/decisions/0007-a-sample-for-the-base-model.md). Champion and candidate answer every row.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from tasks.core.params.evaluation import Evaluation
from tasks.stages.evaluate.contenders import Which

STRATA = ("source_id", "kind", "language", "department")
"""What the sample is spread over, in proportion; behind them the target."""

Row = Mapping[str, Any]


def rows_for(which: Which, rows: Sequence[Row], settings: Evaluation) -> list[Row]:
    """The rows that a model answers, in the order given: all, or for the base model at most `base_rows` of them.

    Rows lie side by side by their strata and targets, in a seeded order within these, and the sample is every so many
    of them. The same rows and seed give the same sample, whatever order they come in.
    """
    most = settings.base_rows
    if which != "base" or most is None or len(rows) <= most:
        return list(rows)
    order = sorted(range(len(rows)), key=lambda place: _rank(rows[place], settings.seed))
    drawn = sorted(order[(2 * number + 1) * len(rows) // (2 * most)] for number in range(most))
    return [rows[place] for place in drawn]


def _rank(row: Row, seed: int) -> tuple[str, ...]:
    lot = hashlib.sha256(f"{seed}:{row['record_id']}".encode()).hexdigest()
    return (*(row[name] or "" for name in STRATA), row["messages"][-1]["content"], lot)
