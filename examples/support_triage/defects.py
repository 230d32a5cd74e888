"""Rows that are wrong on purpose, one kind a function: it takes a sound row and gives the line to write beside it.

More kinds are more entries in DEFECTS.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from examples.support_triage.sources import Row, Source

Defect = Callable[[Row, Source], str]


def cut_off(row: Row, source: Source) -> str:
    """An export that stopped within a line: half a JSON object, or the first of a CSV's fields."""
    line = source.line(row)
    if source.id == "chats":
        return line[: len(line) // 2] + "\n"
    delimiter, end = (";", "\r\n") if line.endswith("\r\n") else (",", "\n")
    return delimiter.join(line.split(delimiter)[:2]) + end


def empty_prompt(row: Row, source: Source) -> str:
    """Nothing but spaces where the customer's words were."""
    return source.line(replace(row, turns=({"role": "user", "content": "   "},)))


def no_target(row: Row, source: Source) -> str:
    """Nobody did the triage."""
    line = source.line(
        replace(row, case=replace(row.case, triage=replace(row.case.triage, intent="", queue="", action="")))
    )
    if source.id != "chats":
        return line
    document = json.loads(line)
    document["turns"][-1]["content"] = ""
    return json.dumps(document, ensure_ascii=False) + "\n"


def duplicate(row: Row, source: Source) -> str:
    """The same message with the same triage, exported twice."""
    return source.line(row)


def near_duplicate(row: Row, source: Source) -> str:
    """The same message with the same triage, typed anew with a letter missing from its longest word.

    Not from a word about a person, or the truth would name what does not stand there; nor, where there is another, from
    one with a capital: protection may take what is left for a name, and then it is another person's message.
    """
    words = [word for word in re.findall(r"[^\W\d_]+", row.text) if not any(word in value for _, value in row.values)]
    word = max(words, key=lambda word: (word.islower(), len(word)))
    return source.line(_reworded(row, row.text.replace(word, word[:2] + word[3:], 1)))


def past_retention(row: Row, source: Source) -> str:
    """The same message from twenty years ago."""
    return source.line(replace(row, day=row.day - timedelta(days=20 * 365)))


def retired(row: Row, source: Source) -> str:
    """The same message, its triage taken back the day after."""
    return source.line(replace(row, withdrawn=row.day + timedelta(days=1)))


def conflict(row: Row, source: Source) -> str:
    """The same message a week earlier, triaged otherwise."""
    return source.line(_otherwise(_earlier(row)))


def conflict_of_sources(row: Row, source: Source) -> str:
    """The same message a week later, triaged otherwise, in a source of less authority."""
    return source.line(_otherwise(replace(row, day=row.day + timedelta(days=7))))


def conflict_undecided(row: Row, source: Source) -> str:
    """The same message on the same day, triaged otherwise."""
    return source.line(_otherwise(row))


def superseded(row: Row, source: Source) -> str:
    """A draft of the message that the form kept a week earlier and marked as such."""
    return source.line(_earlier(_reworded(row, f"{row.text} (v1)")))


def _reworded(row: Row, text: str) -> Row:
    """With another last turn."""
    return replace(row, turns=(*row.turns[:-1], {**row.turns[-1], "content": text}))


def _earlier(row: Row) -> Row:
    return replace(row, day=row.day - timedelta(days=7))


def _otherwise(row: Row) -> Row:
    """With another triage."""
    triage = row.case.triage
    other = replace(triage, action="answer" if triage.action == "escalate" else "escalate")
    return replace(row, case=replace(row.case, triage=other))


@dataclass(frozen=True)
class Kind:
    make: Defect
    share: float
    """How many there are, of the sound rows."""
    copies: bool = False
    """Whether it copies or changes a row, which is to be kept instead."""
    least: int = 0
    """Characters that its row has at least: in a short message one letter may make another message."""
    across: bool = False
    """Whether it comes from `AUTHORITY` and stands in another source."""
    mutual: bool = False
    """Whether the row that it changes has the same defect, so that neither may be kept."""


AUTHORITY = "tickets"
"""The source that counts where others say otherwise, as sources.yaml says."""
DEFECTS: Mapping[str, Kind] = {
    "cut_off": Kind(cut_off, 0.008),
    "empty_prompt": Kind(empty_prompt, 0.006),
    "no_target": Kind(no_target, 0.004),
    "past_retention": Kind(past_retention, 0.006),
    "retired": Kind(retired, 0.006),
    "duplicate": Kind(duplicate, 0.02, copies=True),
    "duplicate_across": Kind(duplicate, 0.012, copies=True, across=True),
    "near_duplicate": Kind(near_duplicate, 0.012, copies=True, least=100),
    "conflict": Kind(conflict, 0.008, copies=True),
    "conflict_of_sources": Kind(conflict_of_sources, 0.012, copies=True, across=True),
    "conflict_undecided": Kind(conflict_undecided, 0.004, copies=True, mutual=True),
    "superseded": Kind(superseded, 0.008, copies=True),
}
