"""The loss is on the target turn alone, its stop token included."""

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from tasks.core.errors import InputError
from tasks.stages.train import examples
from tests.stages.train.conftest import PROMPTS, make_rows

TURNS = [{"role": "system", "content": "Sort."}, {"role": "user", "content": "My card <b>is</b> gone\n\n"}]


@pytest.fixture(scope="module")
def tokenizer(tiny: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny)


def render(tokenizer: Any, tiny: Path, target: str) -> examples.Example:
    return examples.render(TURNS, target, tokenizer, examples.stop_tokens(tokenizer, tiny))


@pytest.mark.parametrize("target", ["cards", "\n\nzwei Zeilen\n", "Größe 😀", '{"intent": "x"}'])
def test_target_is_the_answer_and_its_stop_token(tokenizer: Any, tiny: Path, target: str) -> None:
    made = render(tokenizer, tiny, target)
    assert tokenizer.decode(made.tokens[made.start :]) == target + "<|im_end|>"


def test_what_stands_before_the_target_is_what_the_model_is_asked(tokenizer: Any, tiny: Path) -> None:
    made = render(tokenizer, tiny, "cards")
    asked = tokenizer.apply_chat_template(TURNS, add_generation_prompt=True)["input_ids"]
    assert made.tokens[: made.start] == asked


def test_stop_tokens_come_from_tokenizer_and_generation_config(tokenizer: Any, tiny: Path) -> None:
    assert examples.stop_tokens(tokenizer, tiny) == {tokenizer.convert_tokens_to_ids("<|im_end|>")}


def test_a_template_that_changes_the_prompt_is_refused(tokenizer: Any, tiny: Path) -> None:
    stops = examples.stop_tokens(tokenizer, tiny)
    other = AutoTokenizer.from_pretrained(tiny)
    other.chat_template = "{{ messages | length }}" + tokenizer.chat_template
    with pytest.raises(InputError, match="only appends"):
        examples.render(TURNS, "cards", other, stops)


def test_a_template_without_stop_token_is_refused(tokenizer: Any, tiny: Path) -> None:
    stops = examples.stop_tokens(tokenizer, tiny)
    other = AutoTokenizer.from_pretrained(tiny)
    other.chat_template = tokenizer.chat_template.replace("<|im_end|>", "")
    with pytest.raises(InputError, match="stop token"):
        examples.render(TURNS, "cards", other, stops)


def test_arrays_hold_every_row(tiny: Path, tokenizer: Any) -> None:
    rows = make_rows(5)
    made = examples.build(rows, PROMPTS, tiny, 512)
    assert len(made) == 5
    for number, row in enumerate(rows):
        target = tokenizer.decode(made.row(number)[made.starts[number] :])
        assert target == row["messages"][-1]["content"] + "<|im_end|>"
    assert made.target_tokens.tolist() == [len("cards") + 1, len("loans") + 1, len("accounts") + 1] * 1 + [6, 6]


def test_rows_that_are_too_long_are_counted(tiny: Path) -> None:
    lengths = examples.build(make_rows(5), PROMPTS, tiny, 512).lengths
    limit = int(sorted(lengths)[2])
    with pytest.raises(InputError) as error:
        examples.build(make_rows(5), PROMPTS, tiny, limit)
    assert "training.max_length" in str(error.value)
    assert f"got 2 of 5 rows above it, the longest with {max(lengths)}" in str(error.value)
