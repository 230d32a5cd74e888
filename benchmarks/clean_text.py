"""Share of clean sentences in which something is recognised as personal or secret, compared with batched Presidio.

    python benchmarks/clean_text.py FOLDER [FOLDER ...] [--half "held out"] [--sentences 1000] [--show] [--out FILE]

Each folder has Markdown or plain texts that nobody wrote about people: policies, manuals, READMEs. Code, tables and
links are left out. A digest of each sentence decides its half: `development`, which --show prints, or `held out`, of
which people see only the share. E-mail addresses and telephone numbers are not counted, since those of offices are what
they look like. Names of real people in the texts are counted, so the share is an upper bound.

Presidio reads the same sentences if presidio-analyzer is installed. Otherwise the benchmark says so, and `peer` is
null.
"""

import argparse
import json
import random
import re
import sys
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.protect import Detect, machine, presidio  # noqa: E402
from tasks.stages.data.protect.recognisers import detector  # noqa: E402

HALVES = ("development", "held out")
OFFICES = ("email", "phone")
"""Categories that clean texts do have: the addresses and numbers of offices."""
GOAL = 0.01
FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
CODE = re.compile(r"```.*?```|<!--.*?-->|!\[[^\]]*\]\([^)]*\)", re.DOTALL)
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
TAG = re.compile(r"<[^>]+>")
PARAGRAPH = re.compile(r"\n\s*\n|\n\s*[-*+] |\n\s*\d+\. |\n#+ ")
SENTENCE = re.compile(r"(?<=[.!?:]) +(?=[A-ZÄÖÜ])")
NO_PROSE = ("|", "{{", "{%", "::")
MIN_LENGTH, MAX_LENGTH, MIN_WORDS = 25, 400, 4


def sentences(folder: Path) -> Iterator[str]:
    """Yield the sentences of all texts of a folder."""
    for file in sorted(folder.rglob("*")):
        if file.suffix not in (".md", ".rst", ".txt", ".adoc") or not file.is_file():
            continue
        text = CODE.sub("", FRONT_MATTER.sub("", file.read_text(encoding="utf-8", errors="replace")))
        text = TAG.sub("", LINK.sub(r"\1", text)).replace("`", "").replace("**", "").replace("__", "")
        for paragraph in PARAGRAPH.split(text):
            line = " ".join(paragraph.split()).strip("#*-_|> ")
            if not any(sign in line for sign in NO_PROSE):
                yield from (s for s in SENTENCE.split(line) if _is_sentence(s))


def _is_sentence(text: str) -> bool:
    return MIN_LENGTH <= len(text) <= MAX_LENGTH and len(text.split()) >= MIN_WORDS


def chosen(folder: Path, half: str, count: int) -> list[str]:
    """Return that many sentences of a half, each once, in an arbitrary but fixed order."""
    texts = [s for s in dict.fromkeys(sentences(folder)) if sha256(s.encode()).digest()[0] % 2 == HALVES.index(half)]
    random.Random(5).shuffle(texts)
    return texts[:count]


def touched(texts: Sequence[str], find_all: Detect) -> list[tuple[str, list[str]]]:
    """Return the sentences in which something is found, each with what it is."""
    found = ((text, [s for s in spans or () if s.category not in OFFICES])
             for text, spans in zip(texts, find_all(texts), strict=True))  # fmt: skip
    return [(text, [f"{s.category}: {text[s.start : s.end]}" for s in spans]) for text, spans in found if spans]


def row(folder: Path, half: str, texts: list[str], ours: int, peer: int | None) -> dict[str, Any]:
    return {
        "metric": f"{folder.name}, {half}: clean sentences touched",
        "sentences": len(texts),
        "ours": round(ours / len(texts), 4),
        "peer": "presidio-analyzer batched" if peer is not None else None,
        "peer_value": round(peer / len(texts), 4) if peer is not None else None,
        "ratio": round(ours / peer, 4) if peer else None,
        "goal": GOAL,
        "met": ours / len(texts) <= GOAL,
        "unit": "share of sentences",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--half", choices=HALVES, default="held out")
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--show", action="store_true", help="print what is touched, of the development half alone")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "clean_text.json")
    given = parser.parse_args()
    if given.show and given.half != "development":
        parser.error("--show prints sentences of the development half alone: add `--half development`")
    peer, lines = presidio(), []
    if peer is None:
        print("presidio-analyzer is not installed, so there is nothing to compare with: pip install presidio-analyzer")
    for folder in given.folders:
        texts = chosen(folder, given.half, given.sentences)
        if not texts:
            parser.error(f"{folder} has no sentences: expected a folder of .md, .rst, .txt or .adoc files")
        ours = touched(texts, detector.detect_spans)
        lines.append(row(folder, given.half, texts, len(ours), len(touched(texts, peer)) if peer else None))
        other = f"  {lines[-1]['peer']}: {lines[-1]['peer_value']:.1%}" if peer else ""
        print(f"{folder.name:40}{len(texts):6} sentences  touched {lines[-1]['ours']:6.1%}{other}")
        for text, spans in ours if given.show else ():
            print(f"    {'; '.join(spans)}  in: {text}")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({"machine": machine(), "rows": lines}, indent=1) + "\n")


if __name__ == "__main__":
    main()
