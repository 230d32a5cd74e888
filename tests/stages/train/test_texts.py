"""Continued pretraining: every token of a text is trained once, in windows, by the machinery of all trainings."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from tasks.core.errors import InputError, Refused
from tasks.core.files import tree_digest
from tasks.core.params.prompts import Prompt
from tasks.core.records import texts
from tasks.core.records.rendering import Example, stop_token_ids, tokenise_record
from tasks.stages.train import loop
from tasks.stages.train.rows import examples, row_verification, tokenise
from tests.shared import made_once
from tests.stages.train import plain_texts
from tests.stages.train.conftest import FULL, MakeJob, losses, make_rows, put_rows
from tests.stages.train.plain_texts import BOTH, ROWS, SETTINGS, WINDOW, document, put_table, rendered

END, START = "<|im_end|>", "<|im_start|>"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=300), most=st.integers(16, 80))
def test_every_token_is_predicted_once_and_windows_are_even(tokenizer: Any, text: str, most: int) -> None:
    made = texts.split_into_windows(text, tokenizer, most)
    predicted = [token for window in made for token in window[1:]]
    assert predicted == [*texts.tokenise_text(text, tokenizer), tokenizer.eos_token_id]
    assert tokenizer.decode(predicted[:-1]) == text
    assert [window[0] for window in made] == [tokenizer.eos_token_id, *(window[-1] for window in made[:-1])]
    sizes = [len(window) for window in made]
    assert max(sizes) <= most and min(sizes) >= 2 and max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(("tokens", "sizes"), [(62, [64]), (63, [33, 33]), (64, [33, 34]), (126, [43, 43, 44])])
def test_a_text_is_cut_where_it_must_be(tokenizer: Any, tokens: int, sizes: list[int]) -> None:
    """The tiny tokenizer has a token a byte: with its end a text of 62 fills a window of 64 behind its context."""
    assert [len(window) for window in texts.split_into_windows("x" * tokens, tokenizer, WINDOW)] == sizes


def test_what_looks_like_a_special_token_is_text(tokenizer: Any) -> None:
    (window,) = texts.split_into_windows(f"a{END}b", tokenizer, WINDOW)
    assert window.count(tokenizer.eos_token_id) == 2 and tokenizer.decode(window[1:-1]) == f"a{END}b"


def test_a_text_begins_as_the_tokenizer_begins_texts(tiny: Path) -> None:
    from tokenizers.processors import TemplateProcessing

    other = AutoTokenizer.from_pretrained(tiny)
    begins = (START, other.convert_tokens_to_ids(START))
    other.backend_tokenizer.post_processor = TemplateProcessing(single=f"{START} $A", special_tokens=[begins])
    assert other("ab")["input_ids"][0] == other.bos_token_id
    (window,) = texts.split_into_windows("ab", other, WINDOW)
    assert window[0] == other.bos_token_id and len(window) == 4


def test_without_an_end_of_sequence_no_text_is_cut(tiny: Path) -> None:
    other = AutoTokenizer.from_pretrained(tiny)
    other.eos_token = None
    with pytest.raises(InputError, match="no end-of-sequence token, so no text would end"):
        texts.split_into_windows("ab", other, WINDOW)


def test_a_conversation_beside_texts_stays_one(tokenizer: Any, tiny: Path) -> None:
    stops = stop_token_ids(tokenizer, tiny)
    (chat,) = tokenise_record(make_rows(1)[0], BOTH, tokenizer, stops)
    assert tokenizer.decode(chat.tokens[chat.target_start :]) == f"cards{END}"
    assert {made.target_start for made in tokenise_record(document(3), BOTH, tokenizer, stops)} == {1}


def late(made: Example) -> Example:
    return dataclasses.replace(made, target_start=2)


def other(made: Example) -> Example:
    return dataclasses.replace(made, tokens=[*made.tokens[:5], made.tokens[5] ^ 1, *made.tokens[6:]])


def shorter(made: Example) -> Example:
    return dataclasses.replace(made, tokens=made.tokens[:-1])


FAULTS: dict[str, tuple[Callable[[list[Example]], list[Example]], str]] = {
    "a token is not trained": (lambda it: [it[0], late(it[1]), *it[2:]], "the loss begins at token 3 in window 2"),
    "its context is trained": (
        lambda it: [dataclasses.replace(it[0], target_start=0), *it[1:]], "begins at token 1 in window 1"),
    "a token is another": (lambda it: [other(it[0]), *it[1:]], "what is trained is not its text"),
    "a token is lost": (lambda it: [it[0], shorter(it[1]), *it[2:]], "not its text|not the token before"),
    "a window is lost": (lambda it: [it[0], *it[2:]], "its context is not the token before"),
    "a window is there twice": (lambda it: [it[0], it[0], *it[1:]], "its context is not the token before"),
    "two windows are one": (
        lambda it: [Example([*it[0].tokens, *it[1].tokens[1:]], 1), *it[2:]], "104 tokens in window 1"),
    "it begins in the middle": (lambda it: [Example(it[0].tokens[1:], 1), *it[1:]], "not after a special token"),
}  # fmt: skip


def test_the_stage_takes_windows_of_texts_and_conversations_in_their_order(
    tiny: Path, tokenizer: Any, tmp_path: Path
) -> None:
    table, stops = put_table(tmp_path / "rows.parquet", ROWS), stop_token_ids(tokenizer, tiny)
    made = list(tokenise.tokenise_table(table, BOTH, tokenizer, stops))
    assert len(made) == len(ROWS) and [one for each in made for one in each] == rendered(tiny, ROWS)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_texts_tokens_is_found(tiny: Path, tokenizer: Any, tmp_path: Path, fault: str) -> None:
    table, made, (plant, words) = put_table(tmp_path / "rows.parquet", ROWS), rendered(tiny, ROWS), FAULTS[fault]
    stops = stop_token_ids(tokenizer, tiny)
    row_verification.verify_rows(
        examples.map_examples(put_rows(tmp_path / "right", made)), [table], BOTH, tokenizer, stops
    )
    with pytest.raises(Refused, match=rf"row 1 \(record r0\): .*({words})"):
        row_verification.verify_rows(
            examples.map_examples(put_rows(tmp_path / "wrong", plant(made))), [table], BOTH, tokenizer, stops
        )


def test_texts_that_are_missing_at_the_end_are_found(tiny: Path, tokenizer: Any, tmp_path: Path) -> None:
    rows = [document(1), document(3)]
    table, made = put_table(tmp_path / "rows.parquet", rows), rendered(tiny, rows)
    count, stops = len(made), stop_token_ids(tokenizer, tiny)
    for left in (made[:-1], [*made, made[-1]], made[:1]):
        with pytest.raises(Refused, match=rf"expected the tokens of {count} rows, found those of {len(left)}"):
            row_verification.verify_rows(examples.examples_in_memory(left), [table], BOTH, tokenizer, stops)


@pytest.fixture(scope="module")
def folder(tiny: Path, shared: Path) -> Path:
    """Texts and conversations as tokens."""
    return made_once(shared / "texts", lambda folder: plain_texts.put_tokens(tiny, folder))


@pytest.mark.parametrize(
    "changes",
    [
        {"layout": "packed", "micro_batch_tokens": 300},
        {"zero_stage": 3, "gradient_checkpointing": True, "micro_batch_tokens": 100},
    ],
    ids=str,
)
def test_no_way_to_compute_changes_what_texts_teach(trained: MakeJob, folder: Path, changes: dict[str, Any]) -> None:
    plain, other = trained(folder, **SETTINGS), trained(folder, **SETTINGS, **changes)
    assert losses(other) == pytest.approx(losses(plain), abs=1e-5)


def test_a_training_on_texts_goes_on_exactly(trained: MakeJob, killed: MakeJob, folder: Path) -> None:
    whole, cut = trained(folder, **SETTINGS), killed(folder, **SETTINGS)
    loop.run_training(cut)
    assert losses(cut) == losses(whole)
    assert tree_digest(cut.weights_folder) == tree_digest(whole.weights_folder)


def test_the_loss_of_a_text_that_was_held_out_falls(trained: MakeJob, folder: Path, tiny: Path, tokenizer: Any) -> None:
    """By transformers' own loss, of a text whose words come in other orders in those that were trained."""
    made = trained(folder, **{**SETTINGS, **FULL, "epochs": 5, "learning_rate": 3e-3})
    held_out = texts.split_into_windows(texts.plain_text_of(document(11)), tokenizer, WINDOW)

    def loss(folder: Path) -> float:
        model = AutoModelForCausalLM.from_pretrained(folder).eval()
        with torch.no_grad():
            each = [float(model(torch.tensor([it]), labels=torch.tensor([it])).loss) * (len(it) - 1) for it in held_out]
        return sum(each) / sum(len(it) - 1 for it in held_out)

    before, after = loss(tiny), loss(made.weights_folder)
    assert after < 0.6 * before, (before, after)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"system": "Be kind.", "text_window": 64}, "a text has no system turn"), ({"text_window": 3}, "greater than")],
)
def test_impossible_prompts_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Prompt(**changes)
