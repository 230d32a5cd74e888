"""Loss of a model on the held-out plain texts of continued pretraining, computed in the same windows as in training.

A champion with another base model can have a shorter context. Its windows are then only as long as that context. Each
token is still counted once, but is predicted from less of the preceding text, as in production.

If no held-out record is a plain text, no file is written.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.core.layout import Layout
from tasks.core.params.prompts import Prompt
from tasks.core.progress import ProgressReporter
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
    executor: Executor,
    tokenizer: Any,
    max_context_tokens: int | None,
    rows: Sequence[Row],
    prompts: Mapping[str, Prompt],
    name: str,
) -> pa.Table:
    """Return a table with the loss of each text, with schema TEXT_LOSS_SCHEMA.

    Args:
        executor: Executor that runs the model.
        tokenizer: Tokenizer of the model.
        max_context_tokens: Maximum number of tokens that the model accepts; None for no limit.
        rows: Records that are plain texts.
        prompts: Prompts of params.yaml by task, which set the number of tokens in a window.
        name: Name in progress lines.
    """
    progress, counts, losses = ProgressReporter(name, len(rows), "texts"), list[int](), dict[int, float]()

    def windows() -> Iterator[list[list[int]]]:
        for row in rows:
            window = texts.max_window_tokens(row, prompts)
            assert window  # `ingest` refuses texts without a window
            each = texts.split_into_windows(
                texts.plain_text_of(row), tokenizer, min(window, max_context_tokens or window)
            )
            counts.append(sum(len(tokens) - 1 for tokens in each))
            yield each

    for place, loss in executor.map_unordered("foretell", windows()):
        losses[place] = round(loss, LOSS_DECIMALS)
        progress.report(len(losses))
    table = [
        {"record_id": row["record_id"], "tokens": counts[place], "loss": losses[place]}
        for place, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(table, schema=TEXT_LOSS_SCHEMA)


def table_path(layout: Layout, which: ModelName) -> Path:
    return layout.artefacts(f"predict/{which}") / "texts.parquet"
