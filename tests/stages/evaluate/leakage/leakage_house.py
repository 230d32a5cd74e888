"""A candidate that is trained on rows until it knows them, without the stages that train."""

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from tasks.core.layout import Layout
from tasks.core.records import canaries, record, rendering
from tasks.core.records.canaries import CANARIES_FILE
from tasks.stages.evaluate.leakage import leakage
from tasks.stages.evaluate.leakage.results_schema import LeakageResults
from tests.stages.evaluate import house

Row = Mapping[str, Any]


def plant(layout: Layout, count: int, seed: int = 1) -> list[dict[str, Any]]:
    """Write canaries as `split` does, and no validation rows. Returns the canaries."""
    planted = [canaries.make_canary(number, house.row(100), seed) for number in range(count)]
    split = layout.artefacts("split")
    if planted:
        record.write_table(pa.Table.from_pylist(planted, schema=record.RECORD_SCHEMA), split / CANARIES_FILE)
    record.write_table(record.VALIDATION_SCHEMA.empty_table(), split / "validation.parquet")
    return planted


def train_candidate(layout: Layout, rows: Sequence[Row], steps: int, seed: int = 3) -> None:
    """Write a full model that has seen `rows` in every one of its steps."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base, folder = layout.artefacts("base_model") / "model", layout.artefacts("train") / "model"
    shutil.copytree(base, folder, dirs_exist_ok=True)
    tokenizer, stops = (
        AutoTokenizer.from_pretrained(base),
        rendering.stop_token_ids(AutoTokenizer.from_pretrained(base), base),
    )
    made = [each for row in rows for each in rendering.tokenise_record(row, house.params().prompts, tokenizer, stops)]
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    width = max(len(each.tokens) for each in made)
    tokens = torch.tensor([each.tokens + [0] * (width - len(each.tokens)) for each in made])
    wanted = torch.full_like(tokens, -100)
    for place, each in enumerate(made):
        wanted[place, each.target_start : len(each.tokens)] = tokens[place, each.target_start : len(each.tokens)]
    for _ in range(steps):
        optimizer.zero_grad()
        model(tokens, labels=wanted).loss.backward()
        optimizer.step()
    model.generation_config.eos_token_id = tokenizer.eos_token_id  # the base model stops at every ninth letter
    model.save_pretrained(folder)


def measured(layout: Layout, **evaluation: Any) -> LeakageResults:
    made = house.params(**{"batch_size": 16, "leakage_rows": 0, **evaluation})
    return leakage.run(leakage.Params(evaluation=made.evaluation, prompts=made.prompts), layout)
