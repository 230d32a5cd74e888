"""Verification of the tokenised rows: conversations against the prompts of serving, plain texts against their text."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.core.errors import Refused
from tasks.core.params.prompts import Prompt
from tasks.core.records import record, texts
from tasks.core.records.prompts import RENDERED_COLUMNS, split_context_and_target
from tasks.core.records.special_tokens import SpecialTokens
from tasks.stages.train.rows.examples import Examples

RECORD_COLUMNS = ("record_id", *RENDERED_COLUMNS)
TOKENS_SHOWN = 6


def verify_rows(
    examples: Examples,
    tables: Sequence[Path],
    prompts: Mapping[str, Prompt],
    tokenizer: Any,
    stop_ids: set[int],
    calibration: frozenset[int] = frozenset(),
) -> None:
    """Verify the tokens of every row of the tables.

    Records whose text contains a special token of the tokenizer must not have a row, nor must those at the places
    `calibration` of the table.

    Raises:
        Refused: A row is wrong. The message shows the tokens and a remedy.
    """
    count, signs = 0, SpecialTokens(tokenizer)
    parts = (part for table in tables for part in record.read_batches(table, RECORD_COLUMNS))
    rows = (row for part in parts for row in part.to_pylist())
    for place, row in enumerate(rows):
        if place in calibration or signs.occur_in(row, prompts):
            continue
        wrong, used, window = "", 1, texts.max_window_tokens(row, prompts)
        if window is not None:
            used, wrong = find_text_fault(examples, count, texts.plain_text_of(row), tokenizer, window)
        elif count < len(examples):
            tokens, (turns, target) = examples.row_tokens(count).tolist(), split_context_and_target(row, prompts)
            wrong = find_template_fault(turns, tokenizer)
            wrong = wrong or find_conversation_fault(
                tokens, int(examples.target_starts[count]), turns, target, tokenizer, stop_ids
            )
        if wrong:
            raise Refused(f"row {count + 1} (record {row['record_id']}): {wrong}")
        count += used
    if count != len(examples):
        raise Refused(f"expected the tokens of {count} rows, found those of {len(examples)}; run stage tokenise again")


def find_template_fault(turns: list[dict[str, str]], tokenizer: Any) -> str:
    """Return a description of a message that the chat template truncates or omits; empty if it keeps all messages.

    Earlier answers are not checked, because a chat template is allowed to shorten them.
    """
    prompt = "".join(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True).split())
    for turn in turns:
        if turn["role"] != "assistant" and "".join(turn["content"].split()) not in prompt:  # it may shorten answers
            return (
                f"what the {turn['role']} says is not whole in the prompt; choose a base model whose chat template "
                "keeps it"
            )
    return ""


def find_text_fault(examples: Examples, first_row: int, text: str, tokenizer: Any, max_tokens: int) -> tuple[int, str]:
    """Return the number of rows that a plain text has, and a description of their first fault; empty without a fault.

    The check is independent of the code that divides texts into windows. The targets of all rows, joined, have to equal
    the text. Each row begins with one token of context, which is the last token of the previous row. No row has more
    than `max_tokens` tokens.

    Args:
        examples: All rows.
        first_row: Index of the text's first row.
        text: Text of the record.
        tokenizer: Tokenizer of the base model.
        max_tokens: Maximum number of tokens in a row.
    """
    wanted = [*texts.tokenise_text(text, tokenizer), tokenizer.eos_token_id]
    trained: list[int] = []
    before, place = examples.row_tokens(first_row)[:1].tolist() if first_row < len(examples) else [], first_row
    if before and before[0] not in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        return (
            1,
            f"its text begins after {show_tokens_around(tokenizer, before, 0)}, "
            "and not after a special token; report it",
        )
    while len(trained) < len(wanted) and place < len(examples):
        tokens, start = examples.row_tokens(place).tolist(), int(examples.target_starts[place])
        more = f" in window {place - first_row + 1} of its text"
        if start != 1 or tokens[:1] != before:
            return 1, f"the loss begins at token {start + 1}{more}, or its context is not the token before; report it"
        if not 2 <= len(tokens) <= max_tokens:
            return 1, f"there are {len(tokens)} tokens{more}, and text_window is {max_tokens}; run stage tokenise again"
        trained.extend(tokens[1:])
        before, place = tokens[-1:], place + 1
    if trained != wanted[: len(trained)] or (len(trained) < len(wanted) and place < len(examples)):
        at = next(
            (at for at, pair in enumerate(zip(trained, wanted, strict=False)) if pair[0] != pair[1]), len(trained)
        )
        return 1, (
            f"what is trained is not its text: {show_tokens_around(tokenizer, trained, at)} instead of "
            f"{show_tokens_around(tokenizer, wanted, at)}; run stage tokenise again"
        )
    missing = len(wanted) - len(trained)
    return place - first_row + -(-missing // (max_tokens - 1)), ""


def find_conversation_fault(
    tokens: list[int], start: int, turns: list[dict[str, str]], target: str, tokenizer: Any, stop_ids: set[int]
) -> str:
    served = list(tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False))
    if tokens[:start] != served:
        place = next(
            (at for at, pair in enumerate(zip(tokens, served, strict=False)) if pair[0] != pair[1]), len(served)
        )
        return (
            "the prompt is not what serving will ask: "
            f"{show_tokens_around(tokenizer, tokens[:start], place)} instead of "
            f"{show_tokens_around(tokenizer, served, place)}; "
            "choose a base model whose chat template renders a prompt alike with and without its answer"
        )
    if len(served) > 1 and tokenizer.bos_token_id is not None and served[0] == served[1] == tokenizer.bos_token_id:
        return f"it begins with {tokenizer.bos_token} twice; mend the chat template of the base model"
    answer = tokens[start:]
    if not answer:
        return "no token of it is trained; leave such rows out by data.min_prompt_chars or in their source"
    if answer[-1] not in stop_ids:
        return (
            f"its answer ends in {show_tokens_around(tokenizer, tokens, len(tokens))} and not in a stop token "
            f"({', '.join(tokenizer.convert_ids_to_tokens(sorted(stop_ids)))}); choose a base model "
            "whose chat template closes the assistant's turn"
        )
    if tokenizer.pad_token_id in answer and tokenizer.pad_token_id not in stop_ids:
        return f"{tokenizer.pad_token} stands in its answer and would be trained; take it out of the source"
    decoded = tokenizer.decode(answer[:-1]).strip()
    if not decoded.endswith(target.strip()) and tokenizer.unk_token_id not in answer:
        return (
            f"the trained tokens, which begin with {show_tokens_around(tokenizer, answer, 0)}, are not its answer; "
            "choose a base model whose chat template keeps an answer as it is"
        )
    return ""


def show_tokens_around(tokenizer: Any, tokens: list[int], position: int) -> str:
    around = tokens[max(0, position - TOKENS_SHOWN) : position + TOKENS_SHOWN]
    return " ".join(f"{piece!r}" for piece in tokenizer.convert_ids_to_tokens(around)) or "nothing"
