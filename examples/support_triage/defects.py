"""Kinds of defective rows, one function each. It takes a sound row and returns the line to write beside that row.

A new kind is a new entry in DEFECTS.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from examples.support_triage.sources import Row, Source

Defect = Callable[[Row, Source], str]


def cut_off(row: Row, source: Source) -> str:
    """Return a line that was cut off: half of a JSON object, or only the first fields of a CSV line."""
    line = source.line(row)
    if source.id == "chats":
        return line[: len(line) // 2] + "\n"
    delimiter, end = (";", "\r\n") if line.endswith("\r\n") else (",", "\n")
    return delimiter.join(line.split(delimiter)[:2]) + end


def empty_prompt(row: Row, source: Source) -> str:
    """Return the row with spaces in place of the customer's words."""
    return source.line(replace(row, turns=({"role": "user", "content": "   "},)))


def no_target(row: Row, source: Source) -> str:
    """Return the row without a triage."""
    line = source.line(
        replace(row, case=replace(row.case, triage=replace(row.case.triage, intent="", queue="", action="")))
    )
    if source.id != "chats":
        return line
    document = json.loads(line)
    document["turns"][-1]["content"] = ""
    return json.dumps(document, ensure_ascii=False) + "\n"


def duplicate(row: Row, source: Source) -> str:
    """Return the row again, as if it was exported twice."""
    return source.line(row)


def near_duplicate(row: Row, source: Source) -> str:
    """Return the row with a letter missing from its longest word.

    The word is not part of a value about a person, since the table of truth would then name a value that is not in the
    row. If possible it has no capital letter: protection may recognise the rest as a name, which makes it the message
    of another person.
    """
    words = [word for word in re.findall(r"[^\W\d_]+", row.text) if not any(word in value for _, value in row.values)]
    word = max(words, key=lambda word: (word.islower(), len(word)))
    return source.line(_reworded(row, row.text.replace(word, word[:2] + word[3:], 1)))


def past_retention(row: Row, source: Source) -> str:
    """Return the row with a day twenty years earlier."""
    return source.line(replace(row, day=row.day - timedelta(days=20 * 365)))


def retired(row: Row, source: Source) -> str:
    """Return the row with a triage that was withdrawn on the next day."""
    return source.line(replace(row, withdrawn=row.day + timedelta(days=1)))


def conflict(row: Row, source: Source) -> str:
    """Return the row with a day a week earlier and another triage."""
    return source.line(_otherwise(_earlier(row)))


def conflict_of_sources(row: Row, source: Source) -> str:
    """Return the row with a day a week later and another triage, for a source of less authority."""
    return source.line(_otherwise(replace(row, day=row.day + timedelta(days=7))))


def conflict_undecided(row: Row, source: Source) -> str:
    """Return the row with the same day and another triage."""
    return source.line(_otherwise(row))


def superseded(row: Row, source: Source) -> str:
    """Return a draft of the message, saved by the form a week earlier and marked as such."""
    return source.line(_earlier(_reworded(row, f"{row.text} (v1)")))


def _reworded(row: Row, text: str) -> Row:
    return replace(row, turns=(*row.turns[:-1], {**row.turns[-1], "content": text}))


def _earlier(row: Row) -> Row:
    return replace(row, day=row.day - timedelta(days=7))


def _otherwise(row: Row) -> Row:
    triage = row.case.triage
    other = replace(triage, action="answer" if triage.action == "escalate" else "escalate")
    return replace(row, case=replace(row.case, triage=other))


@dataclass(frozen=True)
class DefectKind:
    make: Defect
    share: float
    """Number of rows with this defect, as a share of the sound rows."""
    is_copy: bool = False
    """Whether the defective row is a copy of a sound row or a changed one. The sound row should be kept."""
    min_characters: int = 0
    """Minimum number of characters of the sound row: in a short message, one letter may make another message."""
    other_source: bool = False
    """Whether the sound row is in AUTHORITY and the defective row is written into another source."""
    mutual: bool = False
    """Whether the sound row has the same defect, so that neither row may be kept."""


AUTHORITATIVE_SOURCE = "tickets"
"""Source that wins if others contradict it, as in sources.yaml."""
DEFECTS: Mapping[str, DefectKind] = {
    "cut_off": DefectKind(cut_off, 0.008),
    "empty_prompt": DefectKind(empty_prompt, 0.006),
    "no_target": DefectKind(no_target, 0.004),
    "past_retention": DefectKind(past_retention, 0.006),
    "retired": DefectKind(retired, 0.006),
    "duplicate": DefectKind(duplicate, 0.02, is_copy=True),
    "duplicate_across": DefectKind(duplicate, 0.012, is_copy=True, other_source=True),
    "near_duplicate": DefectKind(near_duplicate, 0.012, is_copy=True, min_characters=100),
    "conflict": DefectKind(conflict, 0.008, is_copy=True),
    "conflict_of_sources": DefectKind(conflict_of_sources, 0.012, is_copy=True, other_source=True),
    "conflict_undecided": DefectKind(conflict_undecided, 0.004, is_copy=True, mutual=True),
    "superseded": DefectKind(superseded, 0.008, is_copy=True),
}
