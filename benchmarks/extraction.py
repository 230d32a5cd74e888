"""Protection of extraction records: agreement of placeholders in prompt and target, and names readable in one of them.

    python benchmarks/extraction.py [--rows 3000] [--seed 431939] [--snips FOLDER] [--out FILE]

Rows are requests such as "put Blue Hour by Hanna Sjedokowa on my gym list", with JSON of the words of their fields.
Half of them are in lower case, and half of the family names are made of syllables, so that no list has them. The seed
was drawn after the rules were written. --snips names the folder `2017-06-custom-intent-engines` of a checkout of
sonos/nlu-benchmark, whose rows are then measured as well: as they are, and in lower case.

`each text alone` is what protection did before `tasks.stages.data.protect.propagation`. No other tool was found that
protects prompt and target of a record together, so the figures are compared with that and with their goals.
"""

import argparse
import json
import os
import platform
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # records are made as in the tests

from faker import Faker  # noqa: E402

from tasks.sources.protection import Protection  # noqa: E402
from tasks.stages.data.protect.placeholders import PLACEHOLDER  # noqa: E402
from tasks.stages.data.protect.recognisers import detector  # noqa: E402
from tasks.stages.data.protect.records import ProtectionContext, protect_records  # noqa: E402
from tests.stages.data.build import record  # noqa: E402

TEMPLATES = """
put {title} by {name} on my {list} list
I want to hear {title} from {name} please
play the newest album by {name} on {service}
add {name} to the this is {other} playlist
start the best of {name} playlist
book a table for {name} and {other} at a {kind} place
reserve seats for {name}, {other} and me in {town}
give {title} by {name} four stars
is {name} playing in {town} tonight
remind me to call {name} about the {thing}
send the {thing} to {name}
what did {name} write after {title}
Find the {thing} that {name} made for {other}
who is {name} and what is {title}
"""
"""Templates of requests. None is from SNIPS."""
TITLES = "blue hour, the long way, paper boats, no return, my last summer, nine doors, green light, a quiet room"
LISTS = "gym, sunday, road trip, focus, party, sleep"
KINDS = "thai, fish, cheap, steak, vegan, diner"
TOWNS = "york, bern, oslo, leeds, ulm, reno"
THINGS = "invoice, poster, report, cake, photo, ticket"
SERVICES = "radio, spotify, tidal"
SYLLABLES = ["sje", "do", "ko", "wa", "ru", "tel", "min", "ost", "va", "lek", "pri", "zan", "hol", "fu"]
GAP = re.compile(r"{(\w+)}")
GOALS = {
    "targets with a placeholder that their prompt lacks": 0,
    "rows in which a name is masked in one place and readable in the other": 0,
}
KEY = bytes(32)


class Row(NamedTuple):
    prompt: str
    target: dict[str, str]
    names: list[str]
    """Values of the target that are names of people; empty if they are not known."""


def made(rows: int, seed: int) -> list[Row]:
    drawn = random.Random(seed)
    fakes = [Faker("en_US"), Faker("de_DE")]
    for fake in fakes:
        fake.seed_instance(seed)
    return [_row(drawn, fakes) for _ in range(rows)]


def _row(drawn: random.Random, fakes: list[Faker]) -> Row:
    template = drawn.choice(TEMPLATES.strip().splitlines())
    lower = drawn.random() < 0.5
    values = {}
    for gap in GAP.findall(template):
        value = _name(drawn, fakes) if gap in ("name", "other") else drawn.choice(_words(gap))
        values[gap] = value.lower() if lower else value
    prompt = template.format(**values)
    target = {"intent": template.split()[0].lower()} | {
        {"name": "artist", "other": "guest"}.get(gap, gap): value for gap, value in values.items()
    }
    names = [value for gap, value in values.items() if gap in ("name", "other")]
    return Row(prompt.lower() if lower else prompt, target, names)


def _words(gap: str) -> list[str]:
    listed = {"title": TITLES, "list": LISTS, "kind": KINDS, "town": TOWNS, "thing": THINGS, "service": SERVICES}
    return listed[gap].split(", ")


def _name(drawn: random.Random, fakes: list[Faker]) -> str:
    fake = drawn.choice(fakes)
    made_up = "".join(drawn.sample(SYLLABLES, 3)).capitalize()
    return f"{fake.first_name()} {made_up if drawn.random() < 0.5 else fake.last_name()}"


def snips(folder: Path, lower: bool) -> list[Row]:
    """Return 3,000 rows of SNIPS: the words of each request, and JSON of its slots."""
    rows = []
    for file in sorted(folder.glob("*/train_*_full.json")):
        for item in json.loads(file.read_text(encoding="latin-1"))[file.parent.name]:
            text = " ".join("".join(part["text"] for part in item["data"]).split())
            slots = {part["entity"]: " ".join(part["text"].split()) for part in item["data"] if "entity" in part}
            target = {"intent": file.parent.name} | {k: v.lower() if lower else v for k, v in slots.items()}
            rows.append(Row(text.lower() if lower else text, target, []))
    random.Random(1).shuffle(rows)
    return rows[:3_000]


def protect_together(rows: list[Row]) -> Iterator[tuple[str, str]]:
    """Yield prompt and target as `ingest` protects them: together."""
    records = [record(row.prompt, json.dumps(row.target, ensure_ascii=False)) for row in rows]
    for protected, _ in protect_records(records, ProtectionContext(detector.detect_spans, Protection(), {}, KEY)):
        prompt, target = (turn["content"] for turn in protected["messages"])
        yield prompt, target


def protect_alone(rows: list[Row]) -> Iterator[tuple[str, str]]:
    """Yield prompt and target, each protected as a record of its own."""
    texts = [text for row in rows for text in (row.prompt, json.dumps(row.target, ensure_ascii=False))]
    plain = [record("", "") | {"messages": [{"role": "assistant", "content": text}]} for text in texts]
    made = [
        it["messages"][0]["content"]
        for it, _ in protect_records(plain, ProtectionContext(detector.detect_spans, Protection(), {}, KEY))
    ]
    yield from zip(made[::2], made[1::2], strict=True)


def measured(rows: list[Row], pairs: list[tuple[str, str]]) -> Counter[str]:
    counts = Counter(dict.fromkeys(GOALS, 0))
    for row, (prompt, target) in zip(rows, pairs, strict=True):
        before, after = ({match[0] for match in PLACEHOLDER.finditer(text)} for text in (prompt, target))
        counts["rows with a placeholder"] += bool(before | after)
        counts["targets with a placeholder"] += bool(after)
        counts["rows whose prompt and target have other placeholders"] += before != after
        counts["targets with a placeholder that their prompt lacks"] += not after <= before
        counts["rows in which a name is masked in one place and readable in the other"] += any(
            _is_torn(name, prompt, target) for name in row.names
        )
        counts["names"] += len(row.names)
        counts["names masked in both"] += sum(not _readable(name, prompt + " " + target) for name in row.names)
    return counts


def _is_torn(name: str, *texts: str) -> bool:
    shown = [_readable(name, text) for text in texts]
    return len(set(map(frozenset, shown))) > 1


def _readable(name: str, text: str) -> set[str]:
    there = set(re.findall(r"\w+", PLACEHOLDER.sub(" ", text).casefold()))
    return set(re.findall(r"\w+", name.casefold())) & there


def lines(name: str, rows: list[Row]) -> list[dict[str, Any]]:
    began = time.process_time()
    after = measured(rows, list(protect_together(rows)))
    took, before = time.process_time() - began, measured(rows, list(protect_alone(rows)))
    told = [
        line(f"{name}: {what}", after[what], before[what], GOALS.get(what))
        for what in after
        if after["names"] or "name" not in what
    ]
    return [*told, line(f"{name}: rows a second", round(len(rows) / took), None, None, "rows/s")]


def line(metric: str, ours: float, before: float | None, goal: float | None, unit: str = "") -> dict[str, Any]:
    return {
        "metric": metric, "ours": ours, "peer": None if before is None else "each text alone", "peer_value": before,
        "ratio": round(ours / before, 4) if before else None, "goal": goal,
        "met": None if goal is None else ours <= goal, "unit": unit,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=3_000)
    parser.add_argument("--seed", type=int, default=431_939)
    parser.add_argument("--snips", type=Path, help="sonos/nlu-benchmark's folder 2017-06-custom-intent-engines")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "extraction.json")
    given = parser.parse_args()
    sets = {f"made, seed {given.seed}": made(given.rows, given.seed)}
    if given.snips:
        sets |= {"SNIPS, lower case": snips(given.snips, True), "SNIPS": snips(given.snips, False)}
    results = [each for name, rows in sets.items() for each in lines(name, rows)]
    print("| | each text alone | together | goal |\n|---|---|---|---|")
    for each in results:
        goal = "" if each["goal"] is None else f"{each['goal']}: {'met' if each['met'] else 'NOT met'}"
        before = "" if each["peer_value"] is None else f"{each['peer_value']:,}"
        print(f"| {each['metric']} | {before} | {each['ours']:,} | {goal} |")
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps([each | machine for each in results], indent=2) + "\n")


if __name__ == "__main__":
    main()
