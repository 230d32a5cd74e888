"""Command that writes the sources of the sample use case.

    python -m examples.support_triage.generate --seed 7 --out DIR [--rows N]

The same seed and number of rows give the same bytes. Another seed gives other records.
"""

import argparse
import csv
import html
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import cycle
from pathlib import Path
from random import Random

from examples.support_triage import cases, grammar, marks, planting, sources
from examples.support_triage.cases import Case
from examples.support_triage.compose import Composer, Turn
from examples.support_triage.noise import encodable
from examples.support_triage.personal import PERSONAL_SHARE, PersonalSentences
from examples.support_triage.planting import Planted
from examples.support_triage.sources import SOURCES, Row, Source

PHRASES = Path(__file__).parent / "phrases"
PERSONAL = PHRASES / "personal"
SOUND_ROWS = 1620
"""Number of sound rows, of which 1,500 remain after cleaning."""


@dataclass(frozen=True)
class Generated:
    """Generated files by name, and the truth about planted defects."""

    files: dict[str, bytes]
    truth: list[Planted]


class _RowWriter:
    """Composers of messages and sentences with protected values, by language, with the messages that they wrote."""

    def __init__(self, personal: Path) -> None:
        self.composers = {name: Composer(grammar.load(PHRASES / f"{name}.yaml"), name) for name in cases.LANGUAGES}
        self.personal = {name: PersonalSentences(personal / f"{name}.yaml") for name in cases.LANGUAGES}
        self.classes = cycle(marks.CLASSES)
        self.written: set[str] = set()

    def write(self, rng: Random, source: Source, number: int, case: Case) -> Row | None:
        """Return a row, or None if a message with the same words was written before."""
        turns = list(source.compose(self.composers[case.language], rng, case))
        key = _key(turns)
        if key in self.written:
            return None
        self.written.add(key)
        planted = rng.random() < PERSONAL_SHARE
        if planted:
            turns = self.personal[case.language].add(rng, turns, next(self.classes))
        held = [turn | {"content": encodable(turn["content"], source.encoding)} for turn in turns]
        return sources.row(number, rng, case, held, planted)


def generate(seed: int, rows: int = SOUND_ROWS, personal: Path = PERSONAL) -> Generated:
    """Generate all sources.

    No two sound rows have the same words before the triage, without regard to case, spaces and punctuation. `personal`
    is a folder with one file for each language, as phrases/personal/.
    """
    rng, writers = Random(seed), _RowWriter(personal)
    drawn = cases.load(PHRASES / "catalogue.yaml").draw(rng)
    sound = {source: _rows(rng, source, round(rows * source.share), drawn, writers) for source in SOURCES}
    lines, truth = planting.plant(rng, sound)
    files = {source.file: (source.header + "".join(lines[source])).encode(source.encoding) for source in SOURCES}
    return Generated(files, truth)


def _rows(rng: Random, source: Source, count: int, drawn: Iterator[Case], writers: _RowWriter) -> list[Row]:
    rows: list[Row] = []
    while len(rows) < count:
        row = writers.write(rng, source, len(rows) + 1, next(drawn))
        if row is not None:
            rows.append(row)
    return rows


def _key(turns: Sequence[Turn]) -> str:
    """Return a message in the form in which it is compared: without entities, case-folded, letters and digits only."""
    return " ".join(re.findall(r"[^\W_]+", html.unescape(" ".join(turn["content"] for turn in turns)).casefold()))


def truth_table(truth: list[Planted]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(field.name for field in fields(Planted))
    writer.writerows(astuple(planted) for planted in truth)
    return buffer.getvalue().encode()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.support_triage.generate", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--rows", type=int, default=SOUND_ROWS, help=f"sound rows in all, default {SOUND_ROWS}")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to; made if it does not exist")
    given = parser.parse_args()
    made = generate(given.seed, given.rows)
    given.out.mkdir(parents=True, exist_ok=True)
    for name, content in (made.files | {"truth.csv": truth_table(made.truth)}).items():
        (given.out / name).write_bytes(content)


if __name__ == "__main__":
    main()
