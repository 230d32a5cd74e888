"""Share of German sentences in which a year is recognised as an address or a part of one.

    python benchmarks/german_years.py [--half development|"held out"] [--show] [--laws FOLDER] [--cache FOLDER]

Authors of rules neither wrote nor chose these sentences. They are all sentences with a year from 1900 to 2099 in two
sets of German texts. Sentences that differ only in digits are used once.

- `packages`: texts of Debian packages: handbooks, a project's history, the peoples of a game, a dictionary's examples,
  quotations, manual pages, the help of an office suite. They are fetched with `apt-get download`. If that or `dpkg-deb`
  is not available, the script says so and exits with 3.
- `laws`: the federal laws of Germany as Markdown (the repository bundestag/gesetze), if --laws names a folder of it;
  2,000 sentences of each half.

A digest of each sentence decides its half: `development`, whose errors are printed by --show and may correct a rule, or
`held out`, of which people see only the share.
"""

import argparse
import gettext
import gzip
import html
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tasks.stages.data.protect.recognisers import detector  # noqa: E402

PACKAGES = (
    "debian-edu-doc-de", "debian-faq-de", "debian-handbook", "debian-history", "debian-paketmanagement-buch",
    "debian-reference-de", "developers-reference-de", "fortunes-de", "freeciv-data", "gimp-help-de",
    "installation-guide-amd64", "kalzium-data", "libreoffice-help-de", "lilypond-doc-html-de", "lyx-common",
    "manpages-de", "trans-de-en",
)  # fmt: skip
YEAR = re.compile(r"(?<![\w.,/:-])(?:19|20)\d\d(?![\w/:-]|[.,]\d)")
GERMAN = re.compile(
    r"\b(?:der|die|das|den|dem|des|und|im|am|ist|war|wurde|ein|eine|nicht|von|mit|für|auf|seit|ich|wir|sich|auch|bis)\b"
)
MIN_GERMAN_WORDS = 2
"""Minimum number of these words in a German sentence."""
SENTENCE = re.compile(r"(?<=[a-zäöüß)“\"»][.!?])\s+(?=[A-ZÄÖÜ„\"»\d])|\n{2,}")
"""Boundary of two sentences. There is none after a digit: `1. Juli 1998` is one date."""
MIN_LENGTH, MAX_LENGTH = 25, 400
HALVES = ("development", "held out")
MAX_LAW_SENTENCES = 2_000


def sentences(texts: Iterator[str]) -> dict[str, list[str]]:
    """Return the German sentences with a year, by half, each once, in an arbitrary but fixed order."""
    distinct: dict[str, str] = {}
    for text in texts:
        for sentence in SENTENCE.split(text):
            plain = " ".join(sentence.split())
            german = len(GERMAN.findall(plain)) >= MIN_GERMAN_WORDS
            if german and MIN_LENGTH <= len(plain) <= MAX_LENGTH and YEAR.search(plain):
                distinct.setdefault(re.sub(r"\d", "0", plain), plain)
    halves: dict[str, list[str]] = {half: [] for half in HALVES}
    for digest, sentence in sorted((sha256(sentence.encode()).digest(), sentence) for sentence in distinct.values()):
        halves[HALVES[digest[-1] % 2]].append(sentence)
    return halves


def package_texts(folder: Path) -> Iterator[str]:
    """Yield the plain text of every German file in unpacked packages, with an empty line between paragraphs."""
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        where = path.relative_to(folder).as_posix()
        if path.suffix == ".html" and re.search(r"[./]de(?:-DE)?[./]|-de/|paketmanagement", where):
            yield from_html(path.read_text(errors="replace"))
        elif path.suffix == ".gz" and "/man/de/" in where:
            yield from_manual(gzip.decompress(path.read_bytes()).decode(errors="replace"))
        elif path.suffix == ".mo" and "/de/" in where:
            yield from_catalogue(path)
        elif path.suffix == ".lyx" and "/de/" in where:
            yield re.sub(r"(?m)^\\(?!begin_layout|end_layout).*$", "", path.read_text(errors="replace"))
        elif "fortunes/de/" in where and not path.suffix:
            yield re.sub(r"^%$", "\n", path.read_text(errors="replace"), flags=re.M)
        elif path.name == "de-en":
            yield re.sub(r"(?m) :: .*$|\||$", "\n\n", path.read_text(errors="replace"))


def from_html(text: str) -> str:
    text = re.sub(r"(?is)<(script|style|pre|head)\b.*?</\1>", " ", text)
    text = re.sub(r"(?i)</?(?:p|div|li|td|th|tr|h\d|dt|dd|br|ul|ol|table)\b[^>]*>", "\n\n", text)
    return html.unescape(re.sub(r"<[^>]+>", "", text))


def from_manual(text: str) -> str:
    text = re.sub(r"(?m)^[.'].*$", "\n", text)
    text = re.sub(r"\\f(?:\[\w*\]|\(\w\w|\w)|\\&|\\/|\\,|\\%", "", text)
    return re.sub(r"\\\((?:aq|cq|oq)", "'", text).replace("\\-", "-").replace("\\ ", " ").replace("\\~", " ")


def from_catalogue(path: Path) -> str:
    with path.open("rb") as file:
        said = gettext.GNUTranslations(file)._catalog.values()  # type: ignore[attr-defined]
    return "\n\n".join(map(str, said))


def law_texts(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*.md")):
        yield path.read_text(errors="replace")


def unpack(cache: Path, folder: Path) -> None:
    """Unpack every package into `folder`, fetching those that are not in `cache`. Exit with 3 if that fails."""
    if missing := [tool for tool in ("apt-get", "dpkg-deb") if shutil.which(tool) is None]:
        exit_unavailable(f"{' and '.join(missing)}: not on this machine")
    for name in PACKAGES:
        if not list(cache.glob(f"{name}_*.deb")):
            fetched = subprocess.run(["apt-get", "download", name], cwd=cache, capture_output=True, text=True)
            if fetched.returncode:
                exit_unavailable(
                    f"apt-get download {name}: {' '.join(fetched.stderr.split())}; `apt-get update` first?"
                )
        subprocess.run(["dpkg-deb", "-x", max(cache.glob(f"{name}_*.deb")), folder / name], check=True)


def exit_unavailable(why: str) -> None:
    print(f"the texts are not to be had here: {why}", file=sys.stderr)
    sys.exit(3)


def sets(cache: Path | None, laws: Path | None) -> dict[str, dict[str, list[str]]]:
    with tempfile.TemporaryDirectory() as folder:
        kept, there = cache or Path(folder) / "cache", Path(folder) / "unpacked"
        for path in (kept, there):
            path.mkdir(parents=True, exist_ok=True)
        unpack(kept, there)
        halves = {"packages": sentences(package_texts(there))}
    if laws:
        halves["laws"] = {half: every[:MAX_LAW_SENTENCES] for half, every in sentences(law_texts(laws)).items()}
    return halves


def years_in_addresses(texts: list[str]) -> list[str]:
    """Return the sentences in which a year was recognised as an address or a part of one, with the span in brackets."""
    wrong = []
    for sentence, spans in zip(texts, detector.detect_spans(texts), strict=True):
        years = [year.span() for year in YEAR.finditer(sentence)]
        for span in spans or []:
            if span.category == "address" and any(span.start < end and begin < span.end for begin, end in years):
                marked = sentence[: span.start] + f"[{sentence[span.start : span.end]}]" + sentence[span.end :]
                wrong.append(marked)
                break
    return wrong


def row(name: str, half: str, total: int, wrong: int) -> dict[str, Any]:
    return {
        "metric": f"{name}, {half}: a year taken for an address", "ours": round(wrong / total, 5), "peer": None,
        "peer_value": None, "ratio": None, "goal": 0.0, "met": wrong == 0, "unit": "share of sentences",
        "sentences": total, "wrong": wrong,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=HALVES, help="of the sentences; both where none is said")
    parser.add_argument("--show", action="store_true", help="print the mistakes of the development half")
    parser.add_argument("--laws", type=Path, help="a folder of bundestag/gesetze")
    parser.add_argument("--cache", type=Path, help="where packages are kept")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "german_years.json")
    args = parser.parse_args()
    lines = []
    for name, halves in sets(args.cache, args.laws).items():
        for half in [args.half] if args.half else HALVES:
            wrong = years_in_addresses(halves[half])
            lines.append(row(name, half, len(halves[half]), len(wrong)))
            if args.show and half == "development":
                print("\n".join(wrong))
    for line in lines:
        verdict = "met" if line["met"] else "NOT met"
        print(f"{line['metric']:<55} {line['wrong']:>4} of {line['sentences']:>5,} = {line['ours']:.4f}  {verdict}")
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps([line | machine for line in lines], indent=2) + "\n")


if __name__ == "__main__":
    main()
