"""Insertion of defective rows among the sound ones, and the table of truth about defects and protected values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from examples.support_triage.defects import AUTHORITATIVE_SOURCE, DEFECTS, DefectKind
from examples.support_triage.marks import Values
from examples.support_triage.noise import encodable
from examples.support_triage.sources import Row, Source


@dataclass(frozen=True)
class Planted:
    """Line of truth.csv, as `tasks.inquiry.planted_defects.ground_truth` reads it."""

    source_id: str
    row: int
    """Number of the row in the source's file, from 1, without the header and with defective rows."""
    defect: str
    """Key of DEFECTS; or a class of protected values, with `value` in the row."""
    original: str = ""
    """SOURCE:ROW of the row that this row copies or changes, and that should be kept."""
    value: str = ""


@dataclass(eq=False)
class _Line:
    line: str
    values: Values = ()
    defect: str = ""
    original: "_Line | None" = None


Files = Mapping[Source, list[_Line]]


def plant(rng: Random, rows: Mapping[Source, Sequence[Row]]) -> tuple[dict[Source, list[str]], list[Planted]]:
    """Return the lines of every source with defective ones among them, and the truth about them.

    No row is the base of two defects, and none with a planted value is.
    """
    files = {source: [_Line(source.line(row), row.values) for row in own] for source, own in rows.items()}
    sound = {source: list(zip(own, files[source], strict=True)) for source, own in rows.items()}
    for source, own in sound.items():
        plain = [pair for pair in own if not pair[0].planted]
        free = rng.sample(plain, len(plain))
        for name, kind in DEFECTS.items():
            if kind.other_source and source.id != AUTHORITATIVE_SOURCE:
                continue
            fit = [pair for pair in free if len(pair[0].text) >= kind.min_characters][: round(kind.share * len(own))]
            free = [pair for pair in free if pair not in fit]
            for row, entry in fit:
                target, place = _place(rng, files, source, kind, (row, entry))
                files[target].insert(place, _defective(name, target, row, entry))
    return {source: [entry.line for entry in entries] for source, entries in files.items()}, _truth(files)


def _place(rng: Random, files: Files, source: Source, kind: DefectKind, sound: tuple[Row, _Line]) -> tuple[Source, int]:
    """Return source and index of a defective line: after the sound row in its source, or anywhere in another source.

    That other source must have an encoding with all characters of the row.
    """
    row, entry = sound
    if not kind.other_source:
        return source, rng.randint(files[source].index(entry) + 1, len(files[source]))
    others = [
        other for other in files if other.id != AUTHORITATIVE_SOURCE and row.text == encodable(row.text, other.encoding)
    ]
    target = rng.choice(others)
    return target, rng.randint(0, len(files[target]))


def _defective(name: str, target: Source, row: Row, sound: _Line) -> _Line:
    kind = DEFECTS[name]
    made = _Line(kind.make(row, target), row.values if kind.is_copy else (), name, sound if kind.is_copy else None)
    if kind.mutual:
        sound.defect, sound.original = name, made
    return made


def _truth(files: Files) -> list[Planted]:
    places = {
        id(entry): (source.id, number) for source, entries in files.items() for number, entry in enumerate(entries, 1)
    }
    truth = []
    for entry in (entry for entries in files.values() for entry in entries):
        source_id, number = places[id(entry)]
        if entry.defect:
            original = "{}:{}".format(*places[id(entry.original)]) if entry.original else ""
            truth.append(Planted(source_id, number, entry.defect, original))
        truth += [Planted(source_id, number, category, value=value) for category, value in entry.values]
    return truth
