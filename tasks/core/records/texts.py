"""Splitting of plain texts into windows of tokens, for continued pretraining.

Training and evaluation share this code, so their windows are the same.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from tasks.core.errors import InputError
from tasks.core.params.prompts import Prompt


def window_size(record: Mapping[str, Any], prompts: Mapping[str, Prompt]) -> int | None:
    """Return the maximum number of tokens per text window for a record, or None if the record is a conversation."""
    return prompts[record["task"]].text_window


def is_text(record: Mapping[str, Any]) -> bool:
    """Return whether a record is a plain text. Stage `ingest` writes an empty target only for plain texts."""
    return not record["messages"][-1]["content"]


def text_of(record: Mapping[str, Any]) -> str:
    """Return the text of a plain-text record, which is the only turn before its empty target."""
    return str(record["messages"][0]["content"])


def windows(text: str, tokenizer: Any, most: int) -> list[list[int]]:
    """Split a text into windows of 2 to `most` tokens.

    The first token of a window is context, and the model predicts the others. Every token of the text is predicted
    exactly once, followed by the tokenizer's end-of-sequence token. The context of the first window is the tokenizer's
    beginning-of-sequence token. If the tokenizer does not add one, the context is the end-of-sequence token, which
    precedes each text in pretraining. The context of every other window is the last token of the previous window.
    Windows have nearly equal lengths, so that the last one is not just a word or two.

    Raises:
        InputError: The tokenizer has no end-of-sequence token.
    """
    if tokenizer.eos_token_id is None:
        raise InputError("the base model's tokenizer has no end-of-sequence token, so no text would end; take another")
    body = [*text_tokens(text, tokenizer), tokenizer.eos_token_id]
    begins = tokenizer("")["input_ids"][:1]
    first = begins[0] if begins and begins[0] == tokenizer.bos_token_id else tokenizer.eos_token_id
    tokens, count = [first, *body], -(-len(body) // (most - 1))
    cuts = [len(body) * number // count for number in range(count + 1)]
    return [tokens[begin : end + 1] for begin, end in pairwise(cuts)]


def text_tokens(text: str, tokenizer: Any) -> list[int]:
    """Tokenise a text without adding special tokens.

    Names of special tokens in the text are tokenised as ordinary text.
    """
    return list(tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])
