"""Division of plain texts into windows of tokens, for continued pretraining.

Training and evaluation share this code, so their windows are the same.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from tasks.core.errors import InputError
from tasks.core.params.prompts import Prompt


def window_size(record: Mapping[str, Any], prompts: Mapping[str, Prompt]) -> int | None:
    """Return the maximum number of tokens in a window of the record's text; None if the record is a conversation."""
    return prompts[record["task"]].text_window


def is_text(record: Mapping[str, Any]) -> bool:
    """Return whether a record is a plain text: only for plain texts `ingest` writes an empty target."""
    return not record["messages"][-1]["content"]


def text_of(record: Mapping[str, Any]) -> str:
    """Return the text of a plain-text record, which is its only turn before the empty target."""
    return str(record["messages"][0]["content"])


def windows(text: str, tokenizer: Any, most: int) -> list[list[int]]:
    """Divide a text into windows of 2 to `most` tokens.

    The first token of a window is context, the others are predicted. Each token of the text is predicted once, and
    after the last one the tokenizer's end-of-sequence token. The context of the first window is the tokenizer's
    beginning-of-sequence token or, if it adds none, its end-of-sequence token, which precedes each text in
    pretraining; the context of any other window is the last token of the window before. Windows have nearly equal
    lengths, so that the last one does not consist of a word or two.

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
    """Return a text's tokens without added special tokens.

    Names of special tokens in the text are tokenised as text.
    """
    return list(tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])
