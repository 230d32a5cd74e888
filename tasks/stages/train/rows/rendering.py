"""One conversation as tokens, with the target marked.

The loss is on the target turn alone, its stop token included. Where the target starts is found by rendering the
conversation twice with the tokenizer's own chat template, up to the target and whole.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.errors import InputError
from tasks.core.files import read_json
from tasks.core.prompts import Turn


@dataclass(frozen=True)
class Example:
    tokens: list[int]
    """Prompt and target; the last one is the stop token."""
    start: int
    """Where the target starts in `tokens`."""


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
