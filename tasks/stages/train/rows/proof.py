"""Every row as it lies in the files, against what serving will make of the same conversation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.core import record
from tasks.core.errors import Refused
from tasks.core.params.prompts import Prompt
from tasks.core.prompts import chat
from tasks.stages.train.rows.examples import Examples

COLUMNS = ("record_id", "task", "messages")
SHOWN = 6
"""Tokens of a message, before and after the place that is wrong."""


def prove(examples: Examples, table: Path, prompts: Mapping[str, Prompt], tokenizer: Any, stops: set[int]) -> None:
    """Raises Refused for the first row that is wrong, with its tokens and what to do."""
    count = 0
    for row in (it for part in record.batches(table, COLUMNS) for it in part.to_pylist()):
        if count < len(examples):
            tokens = examples.row(count).tolist()
            wrong = fault(tokens, int(examples.starts[count]), *chat(row, prompts), tokenizer, stops)
            if wrong:
                raise Refused(f"row {count + 1} (record {row['record_id']}): {wrong}")
        count += 1
    if count != len(examples):
        raise Refused(f"expected the tokens of {count} rows, found those of {len(examples)}; run stage tokenise again")


def fault(
    tokens: list[int], start: int, turns: list[dict[str, str]], target: str, tokenizer: Any, stops: set[int]
) -> str:
    """What is wrong with a row, in words; empty where nothing is."""
    asked = list(tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False))
    if tokens[:start] != asked:
        place = next((at for at, pair in enumerate(zip(tokens, asked, strict=False)) if pair[0] != pair[1]), len(asked))
        return (
            "the prompt is not what serving will ask: "
            f"{shown(tokenizer, tokens[:start], place)} instead of {shown(tokenizer, asked, place)}; "
            "choose a base model whose chat template renders a prompt alike with and without its answer"
        )
    if len(asked) > 1 and tokenizer.bos_token_id is not None and asked[0] == asked[1] == tokenizer.bos_token_id:
        return f"it begins with {tokenizer.bos_token} twice; mend the chat template of the base model"
    answer = tokens[start:]
    if not answer:
        return "no token of it is trained; leave such rows out by data.min_prompt_chars or in their source"
    if answer[-1] not in stops:
        return (
            f"its answer ends in {shown(tokenizer, tokens, len(tokens))} and not in a stop token "
            f"({', '.join(tokenizer.convert_ids_to_tokens(sorted(stops)))}); choose a base model whose chat template "
            "closes the assistant's turn"
        )
    if tokenizer.pad_token_id in answer and tokenizer.pad_token_id not in stops:
        return f"{tokenizer.pad_token} stands in its answer and would be trained; take it out of the source"
    said = tokenizer.decode(answer[:-1]).strip()
    if not said.endswith(target.strip()) and tokenizer.unk_token_id not in answer:
        return (
            f"the trained tokens, which begin with {shown(tokenizer, answer, 0)}, are not its answer; choose a base "
            "model whose chat template keeps an answer as it is"
        )
    return ""


def shown(tokenizer: Any, tokens: list[int], place: int) -> str:
    """The tokens around a place, as the tokenizer writes them."""
    around = tokens[max(0, place - SHOWN) : place + SHOWN]
    return " ".join(f"{piece!r}" for piece in tokenizer.convert_ids_to_tokens(around)) or "nothing"
