"""Perplexity on held-out plain texts, with a confidence interval.

It is computed from the losses that stage `predict` measured (text_loss.py).
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from tasks.core.errors import InputError
from tasks.core.facts import Fact, Facts
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.records import record
from tasks.stages.evaluate import text_loss, uncertainty
from tasks.stages.evaluate.model_names import MODELS, ModelName

Row = Mapping[str, Any]


def perplexity_facts(layout: Layout, rows: Sequence[Row], settings: Evaluation) -> Facts:
    """Return each model's perplexity on plain texts, and the ratio of the candidate's perplexity to each other model's.

    A ratio is omitted if the two models' token counts differ, because such perplexities cannot be compared. The result
    is empty if there are no texts.

    Raises:
        InputError: A model's losses are for other texts.
    """
    if not rows:
        return {}
    read = {which: table for which in MODELS if (table := _read_losses(layout, which, rows)) is not None}
    tokens = {which: table["tokens"].to_numpy().astype(np.float64) for which, table in read.items()}
    losses = {which: table["loss"].to_numpy() for which, table in read.items()}
    means = {which: partial(_mean_loss, losses[which], tokens[which]) for which in read}
    samples = uncertainty.bootstrap_metric(means, len(rows), settings.bootstrap_samples, settings.seed)
    note = f"exp of the loss per token of {len(rows):,} held-out texts; interval by bootstrap over texts"
    stated = {
        "texts": Fact(value=len(rows), unit="rows", note="held-out plain texts"),
        "perplexity": _perplexity_fact(samples["candidate"], settings, note),
    }
    for which in read.keys() - {"candidate"}:
        stated[f"perplexity_of_{which}"] = _perplexity_fact(samples[which], settings, note)
        if np.array_equal(tokens[which], tokens["candidate"]):
            apart, words = samples["candidate"] - samples[which], "below 1 the candidate is better; the same bootstrap"
            stated[f"perplexity_ratio_to_{which}"] = _perplexity_fact(apart, settings, f"{words} for both")
    return stated


def _mean_loss(losses: Any, tokens: Any, drawn: Any) -> Any:
    return (drawn @ losses) / (drawn @ tokens)


def _perplexity_fact(losses: Any, settings: Evaluation, note: str) -> Fact:
    value, *drawn = np.exp(losses)
    return Fact(**uncertainty.percentile_interval(value, np.array(drawn), settings.confidence).model_dump(), note=note)


def _read_losses(layout: Layout, which: ModelName, rows: Sequence[Row]) -> pa.Table | None:
    path = text_loss.table_path(layout, which)
    if not path.is_file():
        return None
    table = record.read_table(path)
    if table["record_id"].to_pylist() != [row["record_id"] for row in rows]:
        raise InputError(f"{path} does not hold the texts of the test split; run the stage predict@{which} again")
    return table
