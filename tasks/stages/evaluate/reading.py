"""How well a model foretells the held-out plain texts of continued pretraining, in the windows that trainings have.

Nothing is written where no held-out record is a text.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tasks.core import texts
from tasks.core.layout import Layout
from tasks.core.params.prompts import Prompt
from tasks.core.progress import Progress
from tasks.stages.evaluate.contenders import Which

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


def measure(model: Any, tokenizer: Any, rows: Sequence[Row], prompts: Mapping[str, Prompt], name: str) -> pa.Table:
    """A row of SCHEMA for each of `rows`, which are texts. `name` is what progress lines call it."""
    progress, measured = Progress(name, len(rows), "texts"), []
    for row in rows:
        window = texts.window_of(row, prompts)
        assert window  # as `ingest` made sure
        each = texts.windows(texts.text_of(row), tokenizer, window)
        told = sum(_loss(model, tokens) for tokens in each)
        count = sum(len(tokens) - 1 for tokens in each)
        measured.append({"record_id": row["record_id"], "tokens": count, "loss": round(told, DIGITS)})
        progress.tell(len(measured))
    return pa.Table.from_pylist(measured, schema=SCHEMA)


def _loss(model: Any, tokens: list[int]) -> float:
    import torch

    with torch.inference_mode():
        line = torch.tensor([tokens], device=model.device)
        logits = model(line).logits[0, :-1].float()
        return float(torch.nn.functional.cross_entropy(logits, line[0, 1:], reduction="sum"))


def file_of(layout: Layout, which: Which) -> Path:
    """Where stage `predict@WHICH` leaves it."""
    return layout.stage(f"predict/{which}") / "texts.parquet"
