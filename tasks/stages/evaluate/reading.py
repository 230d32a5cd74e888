"""How well a model foretells the held-out plain texts of continued pretraining, in the windows that trainings have.

A champion of another base model may have a shorter context. It reads in windows of that: each token is foretold once
all the same, after less of the text, as the model would in use.

Nothing is written where no held-out record is a text.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.core import texts
from tasks.core.layout import Layout
from tasks.core.params.prompts import Prompt
from tasks.core.progress import Progress
from tasks.stages.evaluate.contenders import Which
from tasks.stages.evaluate.team.team import Team

SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("tokens", pa.int64()),  # that are foretold, the end of the text among them
        ("loss", pa.float64()),  # their summed cross-entropy, in nats
    ]
)
DIGITS = 6
"""Of a loss: what differs between processors reaches no digest."""
Row = Mapping[str, Any]


def measure(
    team: Team, tokenizer: Any, context: int | None, rows: Sequence[Row], prompts: Mapping[str, Prompt], name: str
) -> pa.Table:
    """A row of SCHEMA for each of `rows`, which are texts. `context`: tokens that the model takes; None: no limit.
    `name` is what progress lines call it."""
    progress, counts, losses = Progress(name, len(rows), "texts"), list[int](), dict[int, float]()

    def windows() -> Iterator[list[list[int]]]:
        for row in rows:
            window = texts.window_of(row, prompts)
            assert window  # as `ingest` made sure
            each = texts.windows(texts.text_of(row), tokenizer, min(window, context or window))
            counts.append(sum(len(tokens) - 1 for tokens in each))
            yield each

    for place, loss in team.each("foretell", windows()):
        losses[place] = round(loss, DIGITS)
        progress.tell(len(losses))
    table = [
        {"record_id": row["record_id"], "tokens": counts[place], "loss": losses[place]}
        for place, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(table, schema=SCHEMA)


def file_of(layout: Layout, which: Which) -> Path:
    """Where stage `predict@WHICH` leaves it."""
    return layout.stage(f"predict/{which}") / "texts.parquet"
