"""Rows that are wrong on purpose, and the table that says which.

A defect takes a sound row and its line and gives the line to write instead; it is planted at a random place after the
row, so that the sound one stays. More kinds are more entries in DEFECTS.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
    """The row that this one copies, for duplicates."""


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


DEFECTS: Mapping[str, tuple[Defect, float]] = {
    "cut_off": (cut_off, 0.008),
    "empty_prompt": (empty_prompt, 0.006),
    "no_target": (no_target, 0.004),
    "duplicate": (duplicate, 0.02),
}
"""By name: how it is made, and how many there are, as a share of the sound rows."""


def plant(rng: Random, rows: Sequence[Row], source: Source) -> tuple[list[str], list[Planted]]:
    """The source's lines with defects among them, and the truth about those."""
    entries: list[tuple[str, str, int | None]] = [(source.line(row), "", row.number) for row in rows]
    for name, (defect, share) in DEFECTS.items():
        for row in rng.sample(rows, round(share * len(rows))):
            after = next(i for i, entry in enumerate(entries) if entry[1:] == ("", row.number))
            place = rng.randint(after + 1, len(entries))
            entries.insert(place, (defect(row, source), name, row.number if name == "duplicate" else None))
    position = {number: i for i, (_, name, number) in enumerate(entries, 1) if not name}
    truth = [
        Planted(source.id, i, name, position[original] if original is not None else None)
        for i, (_, name, original) in enumerate(entries, 1)
        if name
    ]
    return [line for line, _, _ in entries], truth
