"""A plain text as windows of tokens, for continued pretraining. Training and evaluation both cut here, so they cannot
differ."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from tasks.core.errors import InputError
from tasks.core.params.prompts import Prompt


def window_of(record: Mapping[str, Any], prompts: Mapping[str, Prompt]) -> int | None:
    """Tokens of a window, where the record is a text; None where it is a conversation."""
    return prompts[record["task"]].text_window


def is_text(record: Mapping[str, Any]) -> bool:
    """By what it holds: `ingest` makes no other record without a target."""
    return not record["messages"][-1]["content"]


def text_of(record: Mapping[str, Any]) -> str:
    """Of a record that is a text: its only turn before the target, which is empty."""
    return str(record["messages"][0]["content"])


def windows(text: str, tokenizer: Any, most: int) -> list[list[int]]:
    """[windows] of 2 to `most` tokens each. A window's first token is context, the others are predicted.

    Every token of the text is predicted once, and after the last one the tokenizer's end of sequence. The context of
    the first window is what the tokenizer begins a text with, or else its end of sequence, which in pretraining stands
    before each text; that of any other is the last token of the window before. The windows are of even length, so that
    none is left with a word or two. The name of a special token in a text is read as its characters. Raises
    InputError where the tokenizer has no end of sequence.
    """
    if tokenizer.eos_token_id is None:
        raise InputError("the base model's tokenizer has no end-of-sequence token, so no text would end; take another")
    body = [*plain(text, tokenizer), tokenizer.eos_token_id]
    begins = tokenizer("")["input_ids"][:1]
    first = begins[0] if begins and begins[0] == tokenizer.bos_token_id else tokenizer.eos_token_id
    tokens, count = [first, *body], -(-len(body) // (most - 1))
    cuts = [len(body) * number // count for number in range(count + 1)]
    return [tokens[begin : end + 1] for begin, end in pairwise(cuts)]


def plain(text: str, tokenizer: Any) -> list[int]:
    """The tokens of a text alone."""
    return list(tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])
