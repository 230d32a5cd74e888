"""Held-out plain texts: each model's perplexity over them, and its ratio to others'; conversations beside them."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tasks.core import facts
from tasks.core.errors import InputError
from tasks.core.files import read_json, write_json
from tasks.core.layout import Layout
from tasks.core.params.prompts import Prompt
from tasks.core.records import record, texts
from tasks.stages.evaluate import evaluate, perplexity, predict, text_loss
from tasks.stages.evaluate.model_names import ModelName
from tests.stages.evaluate import house

WINDOW = 32


def params(**evaluation: Any) -> Any:
    made = house.params(**evaluation)
    return made.model_copy(update={"prompts": {**made.prompts, "wiki": Prompt(text_window=WINDOW)}})


def document(number: int) -> dict[str, Any]:
    said = f"Page {number}. " + f"Branch {number % 4} opens at {7 + number % 3}. " * (1 + number % 3)
    return house.saying(200 + number, said.strip(), "", task="wiki")


@pytest.fixture
def mixed(layout: Layout) -> Layout:
    """Conversations and texts among one another on the test side, and nothing but texts on the other."""
    test = [made for number in range(6) for made in (document(number), house.row(number))]
    house.write_split(layout, test, [document(number) for number in range(20, 26)])
    return layout


def run(layout: Layout, which: ModelName, **evaluation: Any) -> None:
    predict.run(params(**evaluation), layout, which)


def plain_losses(folder: Path, documents: Iterable[int], window: int) -> list[float]:
    """The loss of each document by transformers' own, window by window."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    losses = []
    for number in documents:
        cut = [
            torch.tensor([it])
            for it in texts.split_into_windows(texts.plain_text_of(document(number)), tokenizer, window)
        ]
        with torch.no_grad():
            losses.append(sum(float(model(it, labels=it).loss) * (it.shape[1] - 1) for it in cut))
    return losses


def test_a_texts_loss_is_that_of_transformers(mixed: Layout) -> None:
    run(mixed, "base")
    table = record.read_table(text_loss.table_path(mixed, "base")).to_pylist()
    assert [row["record_id"] for row in table] == [document(number)["record_id"] for number in range(6)]
    folder = mixed.artefacts("base_model") / "model"
    assert [row["loss"] for row in table] == pytest.approx(plain_losses(folder, range(6), WINDOW), rel=1e-4)
    assert [row["tokens"] for row in table] == [len(texts.plain_text_of(document(n)).encode()) + 1 for n in range(6)]
    answered = record.read_table(mixed.artefacts("predict/base") / "predictions.parquet")["record_id"].to_pylist()
    assert answered == [house.row(number)["record_id"] for number in range(6)], "texts are not asked"


def test_a_model_with_a_shorter_context_reads_in_windows_of_that(mixed: Layout) -> None:
    folder, short = mixed.artefacts("base_model") / "model", WINDOW // 2
    config = read_json(folder / "config.json")
    write_json(folder / "config.json", {**config, "max_position_embeddings": short})
    run(mixed, "base")
    row = record.read_table(text_loss.table_path(mixed, "base")).to_pylist()[0]
    assert [row["loss"]] == pytest.approx(plain_losses(folder, [0], short), rel=1e-4)
    assert row["tokens"] == len(texts.plain_text_of(document(0)).encode()) + 1, (
        "each token is foretold once all the same"
    )


def test_perplexities_and_their_ratio_are_facts(mixed: Layout) -> None:
    house.write_adapter(mixed.artefacts("base_model") / "model", mixed.artefacts("train") / "adapter")
    (mixed.root / "inputs").mkdir(exist_ok=True)
    mixed.champion_path.write_text("null")
    for which in ("base", "candidate", "champion"):
        run(mixed, which)
    rows = [document(number) for number in range(6)]
    stated = perplexity.perplexity_facts(mixed, rows, params().evaluation)
    assert stated.keys() == {"texts", "perplexity", "perplexity_of_base", "perplexity_ratio_to_base"}
    for name, which in (("perplexity", "candidate"), ("perplexity_of_base", "base")):
        table = record.read_table(text_loss.table_path(mixed, which))
        loss, tokens = (sum(table[part].to_pylist()) for part in ("loss", "tokens"))
        assert stated[name].value == pytest.approx(math.exp(loss / tokens), rel=1e-5)
        assert stated[name].low < stated[name].value < stated[name].high
    ratio = stated["perplexity"].value / stated["perplexity_of_base"].value
    assert stated["perplexity_ratio_to_base"].value == pytest.approx(ratio, rel=1e-5)
    assert stated["texts"].value == 6


def answered(layout: Layout) -> None:
    """What stage `predict` would have left of the conversations."""
    rows = [house.row(number) for number in range(6)]
    whole = record.read_table(layout.artefacts("split") / "test.parquet")
    house.write_split(layout, rows)
    house.write_answers(layout, {"base": lambda _: "no", "candidate": house.right})
    record.write_table(whole, layout.artefacts("split") / "test.parquet")


def put_losses(layout: Layout, which: ModelName, tokens: list[int], losses: list[float]) -> None:
    ids = [document(number)["record_id"] for number in range(len(tokens))]
    table = [{"record_id": name, "tokens": n, "loss": x} for name, n, x in zip(ids, tokens, losses, strict=True)]
    path = text_loss.table_path(layout, which)
    record.write_table(pa.Table.from_pylist(table, schema=text_loss.TEXT_LOSS_SCHEMA), path)


def test_the_stage_states_them_beside_the_figures_of_conversations(mixed: Layout) -> None:
    answered(mixed)
    tokens = [10, 20, 30, 40, 50, 60]
    put_losses(mixed, "candidate", tokens, [10.0, 22.0, 27.0, 44.0, 50.0, 57.0])
    put_losses(mixed, "base", [11, *tokens[1:]], [20.0, 44.0, 54.0, 88.0, 100.0, 114.0])
    card, evaluation = house.sections()
    evaluate.run(evaluate.Params(evaluation=evaluation, use_case=card), mixed)
    stated = facts.facts_from_json(read_json(mixed.artefacts("evaluate") / "result.json")["facts"])
    assert stated["exact_match"].value == 1 and stated["test_rows"].value == 6 and stated["format_adherence"].value == 1
    assert stated["perplexity"].value == pytest.approx(math.e ** (210 / 210), rel=1e-5)
    assert "perplexity_ratio_to_base" not in stated, "their tokens are not the same"


def test_losses_of_other_texts_are_refused(mixed: Layout) -> None:
    put_losses(mixed, "candidate", [10, 20], [1.0, 2.0])
    with pytest.raises(InputError, match=r"does not hold the texts of the test split; run the stage predict@candidate"):
        perplexity.perplexity_facts(mixed, [document(number) for number in range(6)], params().evaluation)


def test_texts_alone_do_not_show_what_a_model_answers(mixed: Layout) -> None:
    house.write_split(mixed, [document(1)])
    card, evaluation = house.sections()
    with pytest.raises(InputError, match="has no conversation"):
        evaluate.run(evaluate.Params(evaluation=evaluation, use_case=card), mixed)


def test_without_texts_nothing_is_read_or_stated(layout: Layout) -> None:
    run(layout, "base")
    assert not text_loss.table_path(layout, "base").exists()
    assert perplexity.perplexity_facts(layout, [], params().evaluation) == {}
