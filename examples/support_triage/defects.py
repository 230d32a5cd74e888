"""Rows that are wrong on purpose, and the table that says which and what in them is about people.

A defect takes a sound row and gives the line to write beside it, in the same source or another; the sound row stays.
No row is taken twice. More kinds are more entries in DEFECTS.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

from examples.support_triage.marks import Values
from examples.support_triage.sources import Row, Source


@dataclass(frozen=True)
class Planted:
    """One line of truth.csv."""

    source_id: str
    row: int
    """1-based data row in the source's file, planted rows counted."""
    defect: str
    """A key of DEFECTS; or a class of protected text, of which `value` stands in the row."""
    original: str = ""
    """SOURCE:ROW of the row that this one copies or changes, and that is to be kept."""
    value: str = ""


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


@dataclass(eq=False)
class _Entry:
    """A line on its way into a file."""

    line: str
    values: Values = ()
    defect: str = ""
    original: "_Entry | None" = None


Files = dict[Source, list[_Entry]]


def plant(rng: Random, rows: Mapping[Source, Sequence[Row]]) -> tuple[dict[Source, list[str]], list[Planted]]:
    """Every source's lines with defects among them, and the truth about those."""
    files: Files = {source: [_Entry(source.line(row), row.values) for row in own] for source, own in rows.items()}
    sound = {source: list(zip(own, files[source], strict=True)) for source, own in rows.items()}
    for source, own in sound.items():
        free = rng.sample([pair for pair in own if not pair[0].planted], sum(not row.planted for row, _ in own))
        for name, kind in DEFECTS.items():
            if kind.across and source.id != AUTHORITY:
                continue
            fit = [pair for pair in free if len(pair[0].text) >= kind.least][: round(kind.share * len(own))]
            free = [pair for pair in free if pair not in fit]
            for row, entry in fit:
                _insert(rng, files, source, _Planting(name, kind, row, entry))
    return {source: [entry.line for entry in entries] for source, entries in files.items()}, _truth(files)


@dataclass(frozen=True)
class _Planting:
    name: str
    kind: Kind
    row: Row
    entry: _Entry


def _insert(rng: Random, files: Files, source: Source, what: _Planting) -> None:
    """After the row in its own source, or anywhere in another."""
    if what.kind.across:
        source = rng.choice([other for other in files if other.id != AUTHORITY and _writable(what.row, other)])
        place = rng.randint(0, len(files[source]))
    else:
        place = rng.randint(files[source].index(what.entry) + 1, len(files[source]))
    copied = what.entry if what.kind.copies else None
    values = what.row.values if copied else ()
    files[source].insert(place, entry := _Entry(what.kind.make(what.row, source), values, what.name, copied))
    if what.kind.mutual:
        what.entry.defect, what.entry.original = what.name, entry


def _writable(row: Row, source: Source) -> bool:
    """Whether the source's encoding has all letters."""
    return row.text == row.text.encode(source.encoding, errors="ignore").decode(source.encoding)


def _truth(files: Files) -> list[Planted]:
    place = {
        id(entry): (source.id, number) for source, entries in files.items() for number, entry in enumerate(entries, 1)
    }
    truth = []
    for entry in (entry for entries in files.values() for entry in entries):
        source_id, number = place[id(entry)]
        if entry.defect:
            original = "{}:{}".format(*place[id(entry.original)]) if entry.original else ""
            truth.append(Planted(source_id, number, entry.defect, original))
        truth += [Planted(source_id, number, category, value=value) for category, value in entry.values]
    return truth
