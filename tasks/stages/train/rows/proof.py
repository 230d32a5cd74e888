"""Every row as it lies in the files, against what serving will make of the same conversation, or against its text."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.core import record, texts
from tasks.core.errors import Refused
from tasks.core.params.prompts import Prompt
from tasks.core.prompts import chat
from tasks.stages.train.rows.examples import Examples
from tasks.stages.train.rows.signs import Signs

COLUMNS = ("record_id", "task", "messages")
SHOWN = 6
"""Tokens of a message, before and after the place that is wrong."""


def prove(examples: Examples, table: Path, prompts: Mapping[str, Prompt], tokenizer: Any, stops: set[int]) -> None:
    """Raises Refused for the first row that is wrong, with its tokens and what to do. Records with a sign in somebody's
    words are to have no row."""
    count, signs = 0, Signs(tokenizer)
    for row in (it for part in record.batches(table, COLUMNS) for it in part.to_pylist()):
        if signs.stand_in(row, prompts):
            continue
        wrong, used, window = "", 1, texts.window_of(row, prompts)
        if window is not None:
            used, wrong = text_fault(examples, count, texts.text_of(row), tokenizer, window)
        elif count < len(examples):
            tokens, (turns, target) = examples.row(count).tolist(), chat(row, prompts)
            wrong = template_fault(turns, tokenizer)
            wrong = wrong or fault(tokens, int(examples.starts[count]), turns, target, tokenizer, stops)
        if wrong:
            raise Refused(f"row {count + 1} (record {row['record_id']}): {wrong}")
        count += used
    if count != len(examples):
        raise Refused(f"expected the tokens of {count} rows, found those of {len(examples)}; run stage tokenise again")


def template_fault(turns: list[dict[str, str]], tokenizer: Any) -> str:
    """What a template does to somebody's words, where it leaves out some; empty where it does not."""
    prompt = "".join(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True).split())
    for turn in turns:
        if turn["role"] != "assistant" and "".join(turn["content"].split()) not in prompt:  # of answers it may
            return (
                f"what the {turn['role']} says is not whole in the prompt; choose a base model whose chat template "
                "keeps it"
            )
    return ""


def text_fault(examples: Examples, first: int, text: str, tokenizer: Any, most: int) -> tuple[int, str]:
    """How many rows, from `first` on, a text takes, and what is wrong with one of them, in words.

    Goes by what rows have, not by how they were cut: their targets end to end are the text, each has one token of
    context, which is the token before, and none has more than `most`."""
    wanted = [*texts.plain(text, tokenizer), tokenizer.eos_token_id]
    trained: list[int] = []
    before, place = examples.row(first)[:1].tolist() if first < len(examples) else [], first
    if before and before[0] not in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        return 1, f"its text begins after {shown(tokenizer, before, 0)}, and not after a special token; report it"
    while len(trained) < len(wanted) and place < len(examples):
        tokens, start = examples.row(place).tolist(), int(examples.starts[place])
        more = f" in window {place - first + 1} of its text"
        if start != 1 or tokens[:1] != before:
            return 1, f"the loss begins at token {start + 1}{more}, or its context is not the token before; report it"
        if not 2 <= len(tokens) <= most:
            return 1, f"there are {len(tokens)} tokens{more}, and text_window is {most}; run stage tokenise again"
        trained.extend(tokens[1:])
        before, place = tokens[-1:], place + 1
    if trained != wanted[: len(trained)] or (len(trained) < len(wanted) and place < len(examples)):
        at = next(
            (at for at, pair in enumerate(zip(trained, wanted, strict=False)) if pair[0] != pair[1]), len(trained)
        )
        return 1, (
            f"what is trained is not its text: {shown(tokenizer, trained, at)} instead of "
            f"{shown(tokenizer, wanted, at)}; run stage tokenise again"
        )
    missing = len(wanted) - len(trained)
    return place - first + -(-missing // (most - 1)), ""


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
