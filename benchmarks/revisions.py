"""Near-duplicates and choice of the newest version among real revisions: docstrings and READMEs of package releases.

    python benchmarks/revisions.py [--cache FOLDER] [--out FILE]

The documents are docstrings and README sections of 40 to 400 words from the wheels of 22 well-known packages under
permissive licences, with three to five releases each. They are fetched with `pip download` from the index that pip is
set to. If the index cannot be reached, the script says so and exits with 3.

Recall: true pairs are all pairs of documents in different releases of a package whose forms have an exact Jaccard
similarity of JACCARD or more, computed for all pairs. datasketch and rensa get the same windows of five bytes and prove
nothing.

Version in force: all documents are records for the stage `deduplicate`, in mixed order, once with the order of releases
as effective_from, and once without dates and with "Version 1.2.3" in the text. The revisions of a paragraph are the
documents of a package that are connected by true pairs or equal forms. A harder question takes the documents of the
same name instead, of which many were rewritten. Only paragraphs whose words changed count. Precision is the share of
kept records that are of the newest release of their paragraph. Recall is the share of paragraphs with such a record.
"""

import argparse
import ast
import json
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # records are built as in the tests
RELEASES = """
attrs 21.4.0 22.2.0 23.2.0 24.3.0 25.3.0
click 7.1.2 8.0.4 8.1.8 8.2.1
flask 1.1.4 2.0.3 2.3.3 3.0.3 3.1.0
jinja2 2.11.3 3.0.3 3.1.2 3.1.6
werkzeug 1.0.1 2.0.3 2.3.8 3.0.6 3.1.3
requests 2.25.1 2.28.2 2.31.0 2.32.3
httpx 0.18.2 0.23.3 0.25.2 0.28.1
starlette 0.20.4 0.27.0 0.37.2 0.46.2
fastapi 0.70.0 0.95.2 0.110.3 0.115.12
uvicorn 0.15.0 0.20.0 0.29.0 0.34.0
rich 10.16.2 12.6.0 13.7.1 14.0.0
typer 0.4.2 0.9.4 0.12.5 0.15.2
marshmallow 3.13.0 3.19.0 3.22.0 3.26.1
pytest 6.2.5 7.0.1 7.4.4 8.3.5
packaging 20.9 21.3 23.2 24.2
urllib3 1.26.18 2.0.7 2.2.3 2.4.0
tenacity 8.0.1 8.2.3 9.0.0 9.1.2
structlog 21.5.0 22.3.0 23.3.0 24.4.0 25.1.0
anyio 3.7.1 4.0.0 4.4.0 4.9.0
networkx 2.5.1 2.8.8 3.1 3.4.2
dask 2021.10.0 2022.12.1 2023.12.1 2024.12.1
setuptools 60.10.0 65.7.0 69.5.1 75.8.0
"""
"""Packages, each with its releases, oldest first."""
WORDS = range(40, 401)
JACCARD = 0.85
RECALL_GOAL = 0.995
IN_FORCE_GOAL = 0.90
HEADING = re.compile(r"(?m)^(?:#{1,4} +(.+)|(\S.*)\n(?:={3,}|-{3,}|~{3,})$)")
Pairs = set[tuple[int, int]]
Row = dict[str, Any]


class Document(NamedTuple):
    package: str
    release: int
    """Index of the release; 0 is the oldest."""
    version: str
    name: str
    text: str


def fetch_wheels(cache: Path) -> list[Path]:
    """Return the wheels, oldest release first. Those that are not in the cache are fetched."""
    cache.mkdir(parents=True, exist_ok=True)
    lines = [line.split() for line in RELEASES.strip().splitlines()]
    for place in range(1, max(map(len, lines))):
        wanted = [f"{line[0]}=={line[place]}" for line in lines if len(line) > place and not _wheel(cache, line, place)]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        if wanted and subprocess.run([*command, "--dest", str(cache), *wanted], check=False).returncode:
            print("the package index cannot be reached, so there are no revisions to measure with; set pip's index or "
                  "name a --cache that holds the wheels", file=sys.stderr)  # fmt: skip
            sys.exit(3)
    return [wheel for line in lines for place in range(1, len(line)) if (wheel := _wheel(cache, line, place))]


def _wheel(cache: Path, line: list[str], place: int) -> Path | None:
    known = (path for path in cache.glob("*.whl") if path.name.lower().startswith(f"{line[0]}-{line[place]}-"))
    return next(known, None)


def read_documents(wheels: list[Path]) -> list[Document]:
    """Return the documents of all wheels, without repetitions of name and text within a release."""
    documents, releases = [], defaultdict[str, int](int)
    for wheel in wheels:
        package, number = wheel.name.lower().split("-")[:2]
        with zipfile.ZipFile(wheel) as archive:
            texts = {(name, text.strip()) for name, text in _texts(archive) if len(text.split()) in WORDS}
        documents += [Document(package, releases[package], number, *item) for item in sorted(texts)]
        releases[package] += 1
    return documents


def _texts(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    for path in archive.namelist():
        if path.endswith(".dist-info/METADATA"):
            yield from _sections(archive.read(path).decode().partition("\n\n")[2])
        elif path.endswith(".py") and "_vendor" not in path and "/tests/" not in path:
            yield from _docstrings(path, archive.read(path))


def _sections(readme: str) -> Iterator[tuple[str, str]]:
    headings = list(HEADING.finditer(readme))
    for heading, after in zip_longest(headings, headings[1:]):
        yield f"README {heading[1] or heading[2]}", readme[heading.end() : after.start() if after else None]


def _docstrings(path: str, source: bytes) -> Iterator[tuple[str, str]]:
    try:
        open_nodes: list[tuple[str, ast.AST]] = [(path, ast.parse(source))]
    except SyntaxError:
        return
    while open_nodes:
        name, node = open_nodes.pop()
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield name, ast.get_docstring(node) or ""
        within = (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt))
        open_nodes += [(f"{name}.{getattr(child, 'name', '')}".rstrip("."), child) for child in within]


def windows(form: str) -> set[bytes]:
    padded = form.encode() + b" " * 4
    return {padded[i : i + 5] for i in range(len(padded) - 4)}


def true_pairs(kept: list[Document], sets: list[set[bytes]]) -> Pairs:
    """Return the pairs of near-duplicates in different releases of a package, as indexes of the documents."""
    by_package = defaultdict[str, list[int]](list)
    for place, document in enumerate(kept):
        by_package[document.package].append(place)
    near = (pair for places in by_package.values() for pair in _near(places, sets))
    return {(first, second) for first, second in near if kept[first].release != kept[second].release}


def _near(places: list[int], sets: list[set[bytes]]) -> Iterator[tuple[int, int]]:
    """Yield the near-duplicates among all pairs.

    The product of the table of documents and windows with its transpose has the number of common windows of each pair.
    """
    import numpy as np
    from scipy.sparse import csr_array

    numbers: dict[bytes, int] = {}
    columns = [numbers.setdefault(window, len(numbers)) for place in places for window in sets[place]]
    sizes = np.array([len(sets[place]) for place in places])
    ones, starts = np.ones(len(columns), np.float32), np.append(0, np.cumsum(sizes))
    table = csr_array((ones, columns, starts), shape=(len(places), len(numbers)))
    turned = table.T.tocsr()
    for begin in range(0, len(places), 200):
        common = (table[begin : begin + 200] @ turned).toarray()
        either = sizes[begin : begin + 200, None] + sizes - common
        for row, column in np.argwhere(common >= JACCARD * either).tolist():
            if begin + row < column:
                yield places[begin + row], places[column]


def ours(kept_forms: list[str], _: list[set[bytes]]) -> Pairs:
    import numpy as np
    import pyarrow as pa

    from tasks.stages.data.deduplicate.similarity.pairs import find_near_pairs

    near = find_near_pairs(pa.array(kept_forms, pa.large_string()), np.arange(len(kept_forms)), JACCARD)
    return set(map(tuple, near.pairs.tolist()))


def datasketch(_: list[str], sets: list[set[bytes]]) -> Pairs:
    from datasketch import MinHash, MinHashLSH

    index, pairs = MinHashLSH(threshold=JACCARD, num_perm=128), set()
    for place, own in enumerate(sets):
        sketch = MinHash(num_perm=128)
        sketch.update_batch(list(own))
        pairs.update((other, place) for other in index.query(sketch))
        index.insert(place, sketch)
    return pairs


def rensa(_: list[str], sets: list[set[bytes]]) -> Pairs:
    """Return rensa's pairs, with 32 bands of its 128 permutations."""
    from rensa import RMinHash, RMinHashLSH

    index, pairs = RMinHashLSH(threshold=JACCARD, num_perm=128, num_bands=32), set()
    for place, own in enumerate(sets):
        sketch = RMinHash(num_perm=128, seed=42)
        sketch.update([window.hex() for window in own])
        pairs.update((other, place) for other in index.query(sketch))
        index.insert(place, sketch)
    return pairs


def newest_version_scores(documents: list[Document], paragraph: list[int], dated: bool) -> dict[str, float]:
    """Return precision, recall and F1 of the stage's choice. `paragraph` has a number for each document."""
    newest, words = defaultdict[int, int](int), defaultdict[int, set[str]](set)
    for number, document in zip(paragraph, documents, strict=True):
        newest[number] = max(newest[number], document.release)
        words[number].add(document.text)
    changed = {number for number, texts in words.items() if len(texts) > 1}
    kept = [place for place in kept_documents(documents, dated) if paragraph[place] in changed]
    right = [place for place in kept if documents[place].release == newest[paragraph[place]]]
    precision, recall = len(right) / len(kept), len({paragraph[place] for place in right}) / len(changed)
    print(f"{len(changed):,} paragraphs changed, in {sum(map(changed.__contains__, paragraph)):,} records; "
          f"{len(kept):,} of them kept")  # fmt: skip
    return {"precision": precision, "recall": recall, "F1": 2 * precision * recall / (precision + recall)}


def paragraphs(documents: list[Document], keys: Sequence[str], pairs: Pairs) -> list[int]:
    """Return the number of each document's paragraph.

    Two documents of a package are in the same paragraph if they have the same key or are joined by a pair.
    """
    import numpy as np

    from tasks.stages.data.deduplicate.similarity.groups import connected_components

    first: dict[tuple[str, str], int] = {}
    same = [(first.setdefault((d.package, key), i), i) for i, (d, key) in enumerate(zip(documents, keys, strict=True))]
    numbers: list[int] = connected_components(len(documents), np.array([*same, *pairs])).tolist()
    return numbers


def kept_documents(documents: list[Document], dated: bool) -> list[int]:
    """Run the stage on the documents in mixed order. Return the indexes of those that it keeps."""
    from tests.stages.data.build import Run, record

    records = []
    for place, document in enumerate(documents):
        when = {"effective_from": date(2020 + document.release, 1, 1)} if dated else {}
        text = document.text if dated else f"{document.text}\n\nVersion {document.version}"
        records.append(record(text, document.package, place, **when))
    random.Random(1).shuffle(records)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder))
        says = {"src": {"editions": "dated" if dated else "said"}}
        run.deduplicate(records, says=says, near_duplicates={"jaccard": JACCARD})
        return [int(item["record_id"], 16) for item in run.records_of("deduplicate")]


def row(metric: str, value: float, goal: float | None, peer: str | None = None, theirs: float | None = None) -> Row:
    return {
        "metric": metric,
        "ours": round(value, 4),
        "peer": peer,
        "peer_value": None if theirs is None else round(theirs, 4),
        "ratio": round(value / theirs, 4) if theirs else None,
        "goal": goal,
        "met": value >= goal if goal else None,
        "unit": "share",
    }


def recalls(kept_forms: list[str], sets: list[set[bytes]], truth: Pairs) -> list[Row]:
    peers: dict[str, Callable[[list[str], list[set[bytes]]], Pairs]] = {
        "datasketch, 128 permutations": datasketch,
        "rensa, 32 bands": rensa,
    }
    mine = len(ours(kept_forms, sets) & truth) / len(truth)
    return [
        row(
            "near-duplicates, recall of revisions",
            mine,
            RECALL_GOAL,
            name,
            len(find(kept_forms, sets) & truth) / len(truth),
        )
        for name, find in peers.items()
    ]


def choices(documents: list[Document], document_forms: list[str], truth: Pairs) -> list[Row]:
    near = paragraphs(documents, document_forms, truth)
    named = paragraphs(documents, [document.name for document in documents], set())
    asked = [("near-identical, dates", near, True), ("near-identical, versions in the text", near, False)]
    return [
        row(f"in force, {what}: {metric}", value, IN_FORCE_GOAL if metric == "F1" else None)
        for what, paragraph, dated in [*asked, ("same name, dates", named, True)]
        for metric, value in newest_version_scores(documents, paragraph, dated).items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "hallmark-revisions")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "revisions.json")
    given = parser.parse_args()
    from tasks.stages.data.deduplicate.similarity.form import casefold_texts, normalise_for_similarity

    every = read_documents(fetch_wheels(given.cache))
    every_form: list[str] = normalise_for_similarity(casefold_texts(document.text for document in every)).to_pylist()
    places = list({form: place for place, form in enumerate(every_form) if form}.values())
    sets = [windows(every_form[place]) for place in places]
    truth = true_pairs([every[place] for place in places], sets)
    print(f"{len(every):,} documents, {len(places):,} different ones, {len(truth):,} true pairs")
    rows = recalls([every_form[place] for place in places], sets, truth)
    rows += choices(every, every_form, {(places[first], places[second]) for first, second in truth})
    for line in rows:
        peers = f"{line['peer']}: {line['peer_value']:.4f}  " if line["peer"] else ""
        verdict = "" if line["goal"] is None else f"goal {line['goal']:g}  {'met' if line['met'] else 'NOT met'}"
        print(f"{line['metric']:<58} {line['ours']:.4f} {line['unit']}  {peers}{verdict}")
    where = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    where |= {name: version(name) for name in ("rensa", "datasketch", "numpy", "pyarrow")}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps([line | where for line in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
