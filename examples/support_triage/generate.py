"""Write the sample use case's sources: python -m examples.support_triage.generate --seed 7 --out DIR [--rows N]

The same seed and number of rows give the same bytes; another seed gives records that were never seen.
"""

import argparse
import csv
import html
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from random import Random

from examples.support_triage import cases, defects, grammar, sources
from examples.support_triage.cases import Case
from examples.support_triage.compose import Composer, Turn
from examples.support_triage.defects import Planted
from examples.support_triage.sources import SOURCES, Row, Source

PHRASES = Path(__file__).parent / "phrases"
ROWS = 1620
"""Sound rows; enough for 1,500 after cleaning."""


@dataclass(frozen=True)
class Generated:
    """What is written: content by file name, and the truth about planted defects."""

    files: dict[str, bytes]
    truth: list[Planted]


def generate(seed: int, rows: int = ROWS) -> Generated:
    """All sources. No two sound rows have the same words before the triage, however cased, spaced and punctuated."""
    rng, seen = Random(seed), set[str]()
    catalogue = cases.load(PHRASES / "catalogue.yaml")
    composers = {name: Composer(grammar.load(PHRASES / f"{name}.yaml"), name) for name in cases.LANGUAGES}
    drawn, files, truth = catalogue.draw(rng), {}, []
    for source in SOURCES:
        sound = _rows(rng, source, round(rows * source.share), drawn, composers, seen)
        lines, planted = defects.plant(rng, sound, source)
        files[source.file] = (source.header + "".join(lines)).encode(source.encoding)
        truth += planted
    return Generated(files, truth)


def _rows(
    rng: Random, source: Source, count: int, drawn: Iterator[Case], composers: dict[str, Composer], seen: set[str]
) -> list[Row]:
    rows: list[Row] = []
    while len(rows) < count:
        case = next(drawn)
        turns = source.compose(composers[case.language], rng, case)
        key = _key(turns)
        if key not in seen:
            seen.add(key)
            rows.append(sources.row(len(rows) + 1, rng, case, turns))
    return rows


def _key(turns: Sequence[Turn]) -> str:
    """What is compared of the words at most: no entities, no case, letters and digits only."""
    return " ".join(re.findall(r"[^\W_]+", html.unescape(" ".join(turn["content"] for turn in turns)).casefold()))


def truth_table(truth: list[Planted]) -> bytes:
    """truth.csv: source_id, row, defect, original."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(field.name for field in fields(Planted))
    writer.writerows(astuple(planted) for planted in truth)
    return buffer.getvalue().encode()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.support_triage.generate", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--rows", type=int, default=ROWS, help=f"sound rows in all, default {ROWS}")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to; made if it does not exist")
    given = parser.parse_args()
    made = generate(given.seed, given.rows)
    given.out.mkdir(parents=True, exist_ok=True)
    for name, content in (made.files | {"truth.csv": truth_table(made.truth)}).items():
        (given.out / name).write_bytes(content)


if __name__ == "__main__":
    main()
