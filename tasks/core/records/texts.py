"""Splitting of plain texts into windows of tokens, for continued pretraining.

Training and evaluation share this code, so their windows are the same.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from tasks.core.errors import InputError
from tasks.core.params.prompts import Prompt


def max_window_tokens(record: Mapping[str, Any], prompts: Mapping[str, Prompt]) -> int | None:
    """Return the maximum number of tokens per text window for a record, or None if the record is a conversation."""
    return prompts[record["task"]].text_window


def is_plain_text(record: Mapping[str, Any]) -> bool:
    """Return whether a record is plain text. It has an empty target then, and no other record has one."""
    return not record["messages"][-1]["content"]


def plain_text_of(record: Mapping[str, Any]) -> str:
    """Return the text of a plain-text record, which is the only turn before its empty target."""
    return str(record["messages"][0]["content"])


def split_into_windows(text: str, tokenizer: Any, max_tokens: int) -> list[list[int]]:
    """Split a text into windows of 2 to `max_tokens` tokens.

    The first token of a window is context, and the model predicts the others. Every token of the text is predicted
    exactly once, and so is the end-of-sequence token after the text. The context of the first window is the tokenizer's
    beginning-of-sequence token. If the tokenizer does not add one, the context is the end-of-sequence token, which
    precedes each text in pretraining. The context of every other window is the last token of the previous window.
    Windows have nearly equal lengths, so that the last one does not have just a word or two.

    Raises:
        InputError: The tokenizer has no end-of-sequence token.
    """
    if tokenizer.eos_token_id is None:
        raise InputError("the base model's tokenizer has no end-of-sequence token, so no text would end; take another")
    body = [*tokenise_text(text, tokenizer), tokenizer.eos_token_id]
    begins = tokenizer("")["input_ids"][:1]
    first = begins[0] if begins and begins[0] == tokenizer.bos_token_id else tokenizer.eos_token_id
    tokens, count = [first, *body], -(-len(body) // (max_tokens - 1))
    cuts = [len(body) * number // count for number in range(count + 1)]
    return [tokens[begin : end + 1] for begin, end in pairwise(cuts)]


def tokenise_text(text: str, tokenizer: Any) -> list[int]:
    """Tokenise a text without adding special tokens.

    Names of special tokens in the text are tokenised as ordinary text.
    """
    return list(tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])
