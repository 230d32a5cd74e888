"""Detection of credentials of well-known providers in support texts, compared with detect-secrets.

    python benchmarks/credentials.py [--each 10] [--seed 1] [--gitleaks FILE] [--out FILE]

The texts are those of tests/stages/data/recognise/keys.py: credentials in formats that providers publish, filled at
random and put into sentences, and as many texts with look-alikes. Rules were corrected with the development half;
nobody looks into the held-out half. For Hallmark, a key counts as found if its last character is covered; for
detect-secrets, if any part of it is reported, since detect-secrets reports lines.

--gitleaks names config/gitleaks.toml of a checkout of gitleaks (MIT). The true examples of its rules are then measured
as well, if they are written as one string; google-re2 reads its patterns. Its false examples are left out: half of them
are keys of another rule, or keys that have been published.

If a peer is not installed, the benchmark says so, and the peer's figure is null.
"""

import argparse
import json
import os
import platform
import re
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the texts are those of the tests

from tasks.stages.data.protect.recognisers import engine  # noqa: E402
from tests.stages.data.recognise.keys import Figures, Key, Text, figures, made  # noqa: E402

GOALS = {"F1": 0.90, "precision": 0.95}
Marks = list[list[tuple[int, int]]]
EXAMPLES = re.compile(r"\btps\s*:?=\s*\[\]string\{(?P<body>.*?)\n\t\}", re.DOTALL)
STRING = re.compile(r"^\t\t(?:`(?P<raw>[^`]*)`|\"(?P<quoted>(?:[^\"\\]|\\.)*)\"),", re.MULTILINE)
RULE = re.compile(r"RuleID:\s+\"(?P<name>[^\"]+)\"")


def ours(texts: Sequence[Text]) -> Marks:
    detected = engine.find_spans([text.text for text in texts], language_model=False)
    return [[(s.start, s.end) for s in spans or () if s.kind == "CREDENTIAL"] for spans in detected]


def detect_secrets() -> Callable[[Sequence[Text]], Marks] | None:
    """Return a detector with the default plugins and filters of detect-secrets, or None if it is not installed."""
    try:
        from detect_secrets.core.scan import scan_file
        from detect_secrets.settings import default_settings
    except ImportError:
        return None

    def of_text(text: str, file: Path) -> list[tuple[int, int]]:
        file.write_text(text)
        values = sorted({secret.secret_value or "" for secret in scan_file(str(file))} - {""})
        return [(at, at + len(value)) for value in values if (at := text.find(value)) >= 0]

    def find(texts: Sequence[Text]) -> Marks:
        with default_settings(), tempfile.TemporaryDirectory() as folder:
            return [of_text(text.text, Path(folder) / "ticket.txt") for text in texts]

    return find


def gitleaks(config: Path) -> list[Text]:
    """Return the examples of gitleaks' rules that are written as one string. The rule's pattern marks the key."""
    import re2

    patterns = {rule["id"]: rule["regex"] for rule in tomllib.loads(config.read_text())["rules"] if "regex" in rule}
    texts = []
    for file in sorted((config.parents[1] / "cmd" / "generate" / "config" / "rules").glob("*.go")):
        for function in file.read_text().split("\nfunc ")[1:]:
            named = RULE.search(function)
            if named and named["name"] in patterns:
                pattern = re2.compile(patterns[named["name"]])
                texts += [_example(s, pattern, named["name"])
                          for m in EXAMPLES.finditer(function) for s in _strings(m["body"])]  # fmt: skip
    return [text for text in texts if text.keys]


def _strings(body: str) -> list[str]:
    return [m["raw"] if m["raw"] is not None else json.loads(f'"{m["quoted"]}"') for m in STRING.finditer(body)]


def _example(text: str, pattern: Any, name: str) -> Text:
    return Text(text, [_key(match, name) for match in pattern.finditer(text)])


def _key(match: Any, name: str) -> Key:
    """Return the first group that matched, without the quotes that gitleaks' patterns include."""
    group = next((i for i, value in enumerate(match.groups(), start=1) if value), 0)
    start, secret = match.start(group), match[group]
    start += len(secret) - len(secret.lstrip("\"'"))
    return Key(start, start + len(secret.strip("\"'")), name)


def rows(name: str, texts: list[Text], peer: Callable[[Sequence[Text]], Marks] | None) -> list[dict[str, Any]]:
    mine = figures(texts, ours(texts))
    theirs = figures(texts, peer(texts), whole=False) if peer else None
    print(f"{name}: {mine.keys} keys in {len(texts)} texts")
    return [row(f"{name}: {metric}", value, _of(theirs).get(metric)) for metric, value in _of(mine).items()]


def _of(score: Figures | None) -> dict[str, float]:
    return {"F1": score.f1, "precision": score.precision, "recall": score.recall} if score else {}


def row(metric: str, value: float, peer: float | None, unit: str = "share of keys") -> dict[str, Any]:
    goal = GOALS.get(metric.partition(": ")[2])
    return {
        "metric": metric,
        "ours": round(value, 4),
        "peer": "detect-secrets" if peer is not None else None,
        "peer_value": round(peer, 4) if peer is not None else None,
        "ratio": round(value / peer, 4) if peer else None,
        "goal": goal,
        "met": value >= goal if goal else None,
        "unit": unit,
    }


def speed(texts: list[Text], peer: Callable[[Sequence[Text]], Marks] | None) -> dict[str, Any]:
    """Return the texts per second of both.

    Hallmark looks for all classes except names, which it leaves to the language model; detect-secrets for credentials
    only.
    """
    rates = []
    for find in (ours, peer):
        if find:
            find(texts[:50])
            began = time.process_time()
            find(texts)
            rates.append(len(texts) / (time.process_time() - began))
    return row("texts a second", rates[0], rates[1] if peer else None, "texts/s")


def machine() -> dict[str, Any]:
    try:
        peer = version("detect-secrets")
    except PackageNotFoundError:
        peer = None
    where = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    return where | {"versions": {"detect-secrets": peer}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=10, help="texts made of each form and sentence")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--gitleaks", type=Path, help="config/gitleaks.toml of a checkout of gitleaks")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "credentials.json")
    given = parser.parse_args()
    peer = detect_secrets()
    if peer is None:
        print("detect-secrets is not installed, so there is nothing to compare with: pip install detect-secrets")
    sets = {
        "development half": made(False, given.each, given.seed),
        "held-out half": made(True, given.each, given.seed),
    }
    if given.gitleaks:
        sets["gitleaks' examples"] = gitleaks(given.gitleaks)
    lines = [line for name, texts in sets.items() for line in rows(name, texts, peer)]
    lines.append(speed(sets["held-out half"], peer))
    for line in lines:
        peers = f"{line['peer']}: {line['peer_value']:.3f}  " if line["peer"] else ""
        verdict = "" if line["goal"] is None else f"goal {line['goal']:g}  {'met' if line['met'] else 'NOT met'}"
        print(f"{line['metric']:<32} {line['ours']:>9.3f} {line['unit']:<14} {peers}{verdict}")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps([line | machine() for line in lines], indent=2) + "\n")


if __name__ == "__main__":
    main()
