"""Tokens of one record, with the target marked. A plain text is divided into windows.

The loss covers only the target turn, including its stop token. The tokenizer's chat template renders a conversation
twice, once up to the target and once to the end. The difference is the target.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.errors import InputError
from tasks.core.files import read_json
from tasks.core.params.prompts import Prompt
from tasks.core.records import texts
from tasks.core.records.prompts import ChatTurn, split_context_and_target


@dataclass(frozen=True)
class Example:
    tokens: list[int]
    """Tokens of prompt and target. The last token is the stop token, unless a text continues in another window."""
    target_start: int


def tokenise_record(
    record: Mapping[str, Any], prompts: Mapping[str, Prompt], tokenizer: Any, stop_ids: set[int]
) -> list[Example]:
    """Return the examples of a record: one for a conversation, or one for each window of a plain text."""
    window = texts.max_window_tokens(record, prompts)
    if window is None:
        return [tokenise_conversation(*split_context_and_target(record, prompts), tokenizer, stop_ids)]
    return [
        Example(tokens, target_start=1)
        for tokens in texts.split_into_windows(texts.plain_text_of(record), tokenizer, window)
    ]


def tokenise_conversation(turns: list[ChatTurn], target: str, tokenizer: Any, stop_ids: set[int]) -> Example:
    """Return the tokens of a conversation.

    Prompt and target are tokenised separately, as in production, where the tokens of the prompt are fixed before the
    answer begins.

    Raises:
        InputError: The chat template rejects the conversation, changes the prompt when an answer follows, or ends the
            answer without a stop token.
    """
    from jinja2 import TemplateError

    try:
        prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        whole = tokenizer.apply_chat_template([*turns, {"role": "assistant", "content": target}], tokenize=False)
    except TemplateError as error:
        roles = ", ".join(turn["role"] for turn in turns)
        raise InputError(
            f"the tokenizer's chat template refuses a conversation of {roles} and an answer: {error}; choose a base "
            "model whose template takes it, or leave out what it does not take (the system prompt stands in prompts)"
        ) from None
    if not whole.startswith(prompt):
        raise InputError(
            "the tokenizer's chat template renders the prompt differently once the answer follows, so the target "
            "cannot be told from the prompt; choose a base model whose template only appends"
        )
    before = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    answer = tokenizer(whole[len(prompt) :], add_special_tokens=False)["input_ids"]
    last = max((place for place, token in enumerate(answer) if token in stop_ids), default=None)
    if last is None:
        raise InputError(
            "the tokenizer's chat template ends the answer without a stop token "
            f"({', '.join(tokenizer.convert_ids_to_tokens(sorted(stop_ids)))}), so the model would never learn "
            "to stop; choose a base model whose template closes the assistant's turn"
        )
    return Example(tokens=[*before, *answer[: last + 1]], target_start=len(before))


def stop_token_ids(tokenizer: Any, model: Path) -> set[int]:
    """Return the ids of the tokens that end an answer, from the tokenizer and the model's generation_config.json."""
    file = model / "generation_config.json"
    configured = read_json(file).get("eos_token_id") if file.is_file() else None
    listed = configured if isinstance(configured, list) else [configured]
    stops = {int(token) for token in [tokenizer.eos_token_id, *listed] if token is not None}
    if not stops:
        raise InputError("the base model names no end-of-sequence token; choose another base model")
    return stops
