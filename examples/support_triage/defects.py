"""Rows that are wrong on purpose, and the table that says which.

A defect takes a sound row and its line and gives the line to write instead; it is planted at a random place after the
row, so that the sound one stays. More kinds are more entries in DEFECTS.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

from examples.support_triage.sources import Row, Source


@dataclass(frozen=True)
class Planted:
    """One line of truth.csv."""

    source_id: str
    row: int
    """1-based data row in the source's file, planted rows counted."""
    defect: str
    original: int | None
    """The row that this one copies or changes, and that is to be kept."""


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
    """The same message with the same triage, typed anew with a letter missing from its longest word."""
    word = max(re.findall(r"[^\W\d_]+", row.text), key=len)
    return source.line(_reworded(row, row.text.replace(word, word[:2] + word[3:], 1)))


def conflict(row: Row, source: Source) -> str:
    """The same message a week earlier, triaged otherwise."""
    triage = row.case.triage
    other = replace(triage, action="answer" if triage.action == "escalate" else "escalate")
    return source.line(replace(_earlier(row), case=replace(row.case, triage=other)))


def superseded(row: Row, source: Source) -> str:
    """A draft of the message that the form kept a week earlier and marked as such."""
    return source.line(_earlier(_reworded(row, f"{row.text} (v1)")))


def _reworded(row: Row, text: str) -> Row:
    """With another last turn."""
    return replace(row, turns=(*row.turns[:-1], {**row.turns[-1], "content": text}))


def _earlier(row: Row) -> Row:
    return replace(row, day=row.day - timedelta(days=7))


@dataclass(frozen=True)
class Kind:
    make: Defect
    share: float
    """How many there are, of the sound rows."""
    copies: bool = False
    """Whether it copies or changes a row, which is to be kept instead."""
    least: int = 0
    """Characters that its row has at least: in a short message one letter may make another message."""


DEFECTS: Mapping[str, Kind] = {
    "cut_off": Kind(cut_off, 0.008),
    "empty_prompt": Kind(empty_prompt, 0.006),
    "no_target": Kind(no_target, 0.004),
    "duplicate": Kind(duplicate, 0.02, copies=True),
    "near_duplicate": Kind(near_duplicate, 0.012, copies=True, least=100),
    "conflict": Kind(conflict, 0.008, copies=True),
    "superseded": Kind(superseded, 0.008, copies=True),
}


def plant(rng: Random, rows: Sequence[Row], source: Source) -> tuple[list[str], list[Planted]]:
    """The source's lines with defects among them, and the truth about those."""
    entries: list[tuple[str, str, int | None]] = [(source.line(row), "", row.number) for row in rows]
    for name, kind in DEFECTS.items():
        for row in rng.sample([row for row in rows if len(row.text) >= kind.least], round(kind.share * len(rows))):
            after = next(i for i, entry in enumerate(entries) if entry[1:] == ("", row.number))
            place = rng.randint(after + 1, len(entries))
            entries.insert(place, (kind.make(row, source), name, row.number if kind.copies else None))
    position = {number: i for i, (_, name, number) in enumerate(entries, 1) if not name}
    truth = [
        Planted(source.id, i, name, position[original] if original is not None else None)
        for i, (_, name, original) in enumerate(entries, 1)
        if name
    ]
    return [line for line, _, _ in entries], truth
