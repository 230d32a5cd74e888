"""The loss is on the target turn alone, its stop token included."""

from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from tasks.core.errors import InputError
from tasks.core.records import rendering

TURNS = [{"role": "system", "content": "Sort."}, {"role": "user", "content": "My card <b>is</b> gone\n\n"}]


def render(tokenizer: Any, tiny: Path, target: str) -> rendering.Example:
    return rendering.tokenise_conversation(TURNS, target, tokenizer, rendering.stop_token_ids(tokenizer, tiny))


@pytest.mark.parametrize("target", ["cards", "\n\nzwei Zeilen\n", "Größe 😀", '{"intent": "x"}'])
def test_target_is_the_answer_and_its_stop_token(tokenizer: Any, tiny: Path, target: str) -> None:
    made = render(tokenizer, tiny, target)
    assert tokenizer.decode(made.tokens[made.target_start :]) == target + "<|im_end|>"


def test_what_stands_before_the_target_is_what_the_model_is_asked(tokenizer: Any, tiny: Path) -> None:
    made = render(tokenizer, tiny, "cards")
    asked = tokenizer.apply_chat_template(TURNS, add_generation_prompt=True)["input_ids"]
    assert made.tokens[: made.target_start] == asked


def test_stop_tokens_come_from_tokenizer_and_generation_config(tokenizer: Any, tiny: Path) -> None:
    assert rendering.stop_token_ids(tokenizer, tiny) == {tokenizer.convert_tokens_to_ids("<|im_end|>")}


def test_a_template_that_changes_the_prompt_is_refused(tokenizer: Any, tiny: Path) -> None:
    stops = rendering.stop_token_ids(tokenizer, tiny)
    other = AutoTokenizer.from_pretrained(tiny)
    other.chat_template = "{{ messages | length }}" + tokenizer.chat_template
    with pytest.raises(InputError, match="only appends"):
        rendering.tokenise_conversation(TURNS, "cards", other, stops)


def test_a_template_without_stop_token_is_refused(tokenizer: Any, tiny: Path) -> None:
    stops = rendering.stop_token_ids(tokenizer, tiny)
    other = AutoTokenizer.from_pretrained(tiny)
    other.chat_template = tokenizer.chat_template.replace("<|im_end|>", "")
    with pytest.raises(InputError, match="stop token"):
        rendering.tokenise_conversation(TURNS, "cards", other, stops)
