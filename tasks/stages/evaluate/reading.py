"""How well models foretell the held-out plain texts of continued pretraining: perplexity, with its interval.

`predict@WHICH` measures each text in the windows that trainings have, `evaluate` makes figures of them. Nothing is
there where no held-out record is a text.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.core import record, texts
from tasks.core.errors import InputError
from tasks.core.facts import Fact, Facts
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.prompts import Prompt
from tasks.core.progress import Progress
from tasks.stages.evaluate import intervals
from tasks.stages.evaluate.contenders import MODELS, Which

SCHEMA = pa.schema(
    [
        ("record_id", pa.string()),
        ("tokens", pa.int64()),  # that are foretold, the end of the text among them
        ("loss", pa.float64()),  # their summed cross-entropy, in nats
    ]
)
FILE = "texts.parquet"
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
        measured.append({"record_id": row["record_id"], "tokens": count, "loss": round(told, intervals.DIGITS)})
        progress.tell(len(measured))
    return pa.Table.from_pylist(measured, schema=SCHEMA)


def _loss(model: Any, tokens: list[int]) -> float:
    import torch

    with torch.inference_mode():
        line = torch.tensor([tokens], device=model.device)
        logits = model(line).logits[0, :-1].float()
        return float(torch.nn.functional.cross_entropy(logits, line[0, 1:], reduction="sum"))


def facts(layout: Layout, rows: Sequence[Row], settings: Evaluation) -> Facts:
    """The candidate's perplexity over `rows`, which are texts, and its ratio to the base model's and the champion's;
    none without such rows. A ratio is left out where two models' tokens are not the same."""
    if not rows:
        return {}
    read = {which: table for which in MODELS if (table := _read(layout, which, rows)) is not None}
    tokens = {which: table["tokens"].to_numpy().astype(np.float64) for which, table in read.items()}
    losses = {which: table["loss"].to_numpy() for which, table in read.items()}
    means = {which: partial(_mean, losses[which], tokens[which]) for which in read}
    samples = intervals.bootstrap(means, len(rows), settings.bootstrap_samples, settings.seed)
    note = f"exp of the loss per token of {len(rows):,} held-out texts; interval by bootstrap over texts"
    stated = {
        "texts": Fact(value=len(rows), unit="rows", note="held-out plain texts"),
        "perplexity": _figure(samples["candidate"], settings, note),
    }
    for which in read.keys() - {"candidate"}:
        stated[f"perplexity_of_{which}"] = _figure(samples[which], settings, note)
        if np.array_equal(tokens[which], tokens["candidate"]):
            apart, words = samples["candidate"] - samples[which], "below 1 the candidate is better; the same bootstrap"
            stated[f"perplexity_ratio_to_{which}"] = _figure(apart, settings, f"{words} for both")
    return stated


def _mean(losses: Any, tokens: Any, drawn: Any) -> Any:
    """[samples] loss per token, by how often each text is drawn in each."""
    return (drawn @ losses) / (drawn @ tokens)


def _figure(losses: Any, settings: Evaluation, note: str) -> Fact:
    """The first of `losses` is that of the rows as they are, the others those of bootstrap samples."""
    value, *drawn = np.exp(losses)
    return Fact(**intervals.percentiles(value, np.array(drawn), settings.confidence).model_dump(), note=note)


def _read(layout: Layout, which: Which, rows: Sequence[Row]) -> pa.Table | None:
    """None for a model that is not there. Raises InputError where it read other texts."""
    path = layout.stage(f"predict/{which}") / FILE
    if not path.is_file():
        return None
    table = record.read_table(path)
    if table["record_id"].to_pylist() != [row["record_id"] for row in rows]:
        raise InputError(f"{path} does not hold the texts of the test split; run the stage predict@{which} again")
    return table
