"""Rows as tokens, with the target marked.

The loss is on the target turn alone, its stop token included. Where the target starts is found by rendering the
conversation twice with the tokenizer's own chat template, up to the target and whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.core.errors import InputError
from tasks.core.files import read_json
from tasks.core.params.prompts import Prompt
from tasks.core.prompts import Turn, chat

Row = Mapping[str, Any]
"""A row of `tasks.core.record.SCHEMA` as a dict."""
Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Example:
    tokens: list[int]
    """Prompt and target; the last one is the stop token."""
    start: int
    """Where the target starts in `tokens`."""


@dataclass(frozen=True)
class Examples:
    """Many examples in three flat arrays, cheap to send to workers."""

    tokens: Ints
    """All tokens of all examples, end to end."""
    offsets: npt.NDArray[np.int64]
    """[examples + 1]; example i is tokens[offsets[i]:offsets[i + 1]]."""
    starts: Ints
    """[examples]; where each target starts, counted within its example."""

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """[examples] tokens each."""
        return np.diff(self.offsets)

    @property
    def target_tokens(self) -> npt.NDArray[np.int64]:
        """[examples] tokens each that the loss is on."""
        return self.lengths - self.starts

    def row(self, index: int) -> Ints:
        return self.tokens[self.offsets[index] : self.offsets[index + 1]]


def build(rows: Sequence[Row], prompts: Mapping[str, Prompt], model: Path, max_length: int) -> Examples:
    """All rows as tokens of the tokenizer in the folder `model`.

    Raises InputError if any row is longer than `max_length`, or if the chat template cannot be used.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    stops = stop_tokens(tokenizer, model)
    made = [render(*chat(row, prompts), tokenizer, stops) for row in rows]
    lengths = [len(example.tokens) for example in made]
    too_long = [length for length in lengths if length > max_length]
    if too_long:
        raise InputError(
            f"training.max_length: expected at most {max_length} tokens a row, got {len(too_long)} of {len(made)} rows "
            f"above it, the longest with {max(too_long)}; raise training.max_length, or lower data.max_prompt_chars so "
            "that they are quarantined"
        )
    return Examples(
        tokens=np.fromiter((token for example in made for token in example.tokens), dtype=np.int32),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        starts=np.array([example.start for example in made], dtype=np.int32),
    )


def render(turns: list[Turn], target: str, tokenizer: Any, stops: set[int]) -> Example:
    """One conversation as tokens. Raises InputError if the template is not prefix-consistent or ends without stop.

    Prompt and target are tokenised apart, since that is what the model meets when it answers: the prompt's tokens are
    fixed before the first token of the answer exists.
    """
    prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template([*turns, {"role": "assistant", "content": target}], tokenize=False)
    if not whole.startswith(prompt):
        raise InputError(
            "the tokenizer's chat template renders the prompt differently once the answer follows, so the target "
            "cannot be told from the prompt; choose a base model whose template only appends"
        )
    before = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    answer = tokenizer(whole[len(prompt) :], add_special_tokens=False)["input_ids"]
    last = max((place for place, token in enumerate(answer) if token in stops), default=None)
    if last is None:
        raise InputError(
            "the tokenizer's chat template ends the answer without a stop token "
            f"({', '.join(tokenizer.convert_ids_to_tokens(sorted(stops)))}), so the model would never learn to stop; "
            "choose a base model whose template closes the assistant's turn"
        )
    return Example(tokens=[*before, *answer[: last + 1]], start=len(before))


def stop_tokens(tokenizer: Any, model: Path) -> set[int]:
    """Tokens at which generation stops: the tokenizer's and those of the model's generation_config.json."""
    file = model / "generation_config.json"
    configured = read_json(file).get("eos_token_id") if file.is_file() else None
    listed = configured if isinstance(configured, list) else [configured]
    stops = {int(token) for token in [tokenizer.eos_token_id, *listed] if token is not None}
    if not stops:
        raise InputError("the base model names no end-of-sequence token; choose another base model")
    return stops
