"""Loss of a model on the held-out plain texts of continued pretraining, computed in the same windows as in training.

A champion with another base model can have a shorter context. Its windows are then as long as its context: each token
is still counted once, but with less of the preceding text, as in production.

If no held-out record is a plain text, no file is written.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.core.layout import Layout
from tasks.core.params.prompts import Prompt
from tasks.core.progress import Progress
from tasks.core.records import texts
from tasks.stages.evaluate.inference.executor import Executor
from tasks.stages.evaluate.model_names import ModelName

TEXT_LOSS_SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("tokens", pa.int64()),  # number of predicted tokens, the end of the text included
        ("loss", pa.float64()),  # sum of their cross-entropies, in nats
    ]
)
LOSS_DECIMALS = 6
"""Number of decimal places of a loss. Further digits differ between processors and would change digests."""
Row = Mapping[str, Any]


def measure_losses(
    team: Executor, tokenizer: Any, context: int | None, rows: Sequence[Row], prompts: Mapping[str, Prompt], name: str
) -> pa.Table:
    """Return a table with the loss of each text, with schema TEXT_LOSS_SCHEMA.

    Args:
        team: Executor that runs the model.
        tokenizer: Tokenizer of the model.
        context: Maximum number of tokens that the model accepts; None for no limit.
        rows: Records that are plain texts.
        prompts: Prompts of params.yaml by task, which set the number of tokens in a window.
        name: Name in progress lines.
    """
    progress, counts, losses = Progress(name, len(rows), "texts"), list[int](), dict[int, float]()

    def windows() -> Iterator[list[list[int]]]:
        for row in rows:
            window = texts.window_size(row, prompts)
            assert window  # `ingest` refuses texts without a window
            each = texts.windows(texts.text_of(row), tokenizer, min(window, context or window))
            counts.append(sum(len(tokens) - 1 for tokens in each))
            yield each

    for place, loss in team.map_unordered("foretell", windows()):
        losses[place] = round(loss, LOSS_DECIMALS)
        progress.report(len(losses))
    table = [
        {"record_id": row["record_id"], "tokens": counts[place], "loss": losses[place]}
        for place, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(table, schema=TEXT_LOSS_SCHEMA)


def table_path(layout: Layout, which: ModelName) -> Path:
    return layout.artefacts(f"predict/{which}") / "texts.parquet"
