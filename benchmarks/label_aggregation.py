"""Aggregated labels against gold labels of public crowd sets, compared with the majority vote.

    python benchmarks/label_aggregation.py --sets FOLDER [--sets FOLDER] [--gold-share 0.2] [--out FILE]

The sets stay outside of the project. A folder has one folder for each set, in one of two forms:

    labels.txt, evaluation.txt or gold.txt   as in `data` of github.com/ipeirotis/Get-Another-Label (Apache-2.0)
    answer.csv, truth.csv                    as in `datasets` of github.com/zhydhkcws/crowd_truth_infer, which states no
                                             licence; its Duck Identification is github.com/welinder/cubam (Clear BSD)

Sets are left out if fewer than 100 gold items were labelled, or if there are more than 20 different labels, which are
numbers and no classes. Of two labels of a worker for an item the later one counts.

The figure is the share of gold items whose label is right. That of the majority vote is what it is on average if ties
are broken at random. `without gold` uses no gold label. `with gold` gives a share of the gold items to the estimate, as
gold examples, and both figures are over the other items. The interval of the gain is a bootstrap over items. Without
--sets the benchmark says so and ends with exit code 3.
"""

import argparse
import csv
import json
import platform
import random
import sys
import time
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tasks.labels.aggregation import dawid_skene_labels  # noqa: E402

GOAL = 0.05
"""Minimum gain over the majority vote, as a share of the gold items."""
MIN_GOLD = 100
MAX_CLASSES = 20
GOLD_FILES = ("evaluation.txt", "gold.txt")
AWAY = 3
Votes = dict[str, dict[str, str]]


def read_rows(path: Path) -> list[list[str]]:
    """Return the rows of a file. Items in a text file may hold spaces, so that tabs alone divide."""
    delimiter = "," if path.suffix == ".csv" else "\t"
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        rows = [[word.strip() for word in line] for line in csv.reader(file, delimiter=delimiter)]
    return rows[1:] if path.suffix == ".csv" else rows


def read_set(folder: Path) -> tuple[Votes, dict[str, str]]:
    """Return the labels by item and worker, and the gold labels of items that workers labelled."""
    if (folder / "answer.csv").exists():
        given, known = read_rows(folder / "answer.csv"), read_rows(folder / "truth.csv")
        given = [[worker, item, label] for item, worker, label, *_ in given]
    else:
        path = next((folder / name for name in GOLD_FILES if (folder / name).exists()), None)
        given, known = read_rows(folder / "labels.txt"), read_rows(path) if path else []
    votes: Votes = {}
    for row in given:
        if len(row) >= 3:
            votes.setdefault(row[1], {})[row[0]] = row[2].casefold()
    return votes, {row[0]: row[1].casefold() for row in known if len(row) >= 2 and row[0] in votes}


def set_folders(places: list[Path]) -> list[Path]:
    folders = (folder for place in places for folder in sorted(place.iterdir()))
    return [folder for folder in folders if (folder / "labels.txt").exists() or (folder / "answer.csv").exists()]


def majority_scores(votes: Votes, gold: dict[str, str], items: list[str]) -> list[float]:
    """Return for each item how often the majority vote is right, if ties are broken at random."""
    scores = []
    for item in items:
        counts = Counter(votes[item].values())
        best = [label for label, count in counts.items() if count == max(counts.values())]
        scores.append((gold[item] in best) / len(best))
    return scores


def gain_interval(gains: list[float]) -> tuple[float, float]:
    draws = np.random.default_rng(1).choice(np.array(gains), (2_000, len(gains)))
    low, high = np.quantile(draws.mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def compare(name: str, votes: Votes, gold: dict[str, str], examples: list[str]) -> dict[str, Any]:
    """Return the figures of one set. `examples` are the gold items that the estimate is given."""
    judged = [item for item in gold if item not in {*examples}]
    rows = {item: given for item, given in votes.items() if item not in {*examples}}
    begun = time.perf_counter()
    found = dawid_skene_labels(rows, {item: votes[item] for item in examples}, {item: gold[item] for item in examples})
    seconds = time.perf_counter() - begun
    ours = [float(found[item].label == gold[item]) for item in judged]
    peer = majority_scores(votes, gold, judged)
    gains = [mine - theirs for mine, theirs in zip(ours, peer, strict=True)]
    low, high = gain_interval(gains)
    gain = float(np.mean(gains))
    return {
        "metric": f"right labels of {name}, {'with' if examples else 'without'} gold", "ours": round(np.mean(ours), 4),
        "peer": "majority vote", "peer_value": round(np.mean(peer), 4), "ratio": None, "gain": round(gain, 4),
        "gain_low": round(low, 4), "gain_high": round(high, 4), "goal": GOAL, "met": gain >= GOAL,
        "unit": "share of gold items", "items": len(judged), "gold_examples": len(examples),
        "labels": sum(map(len, votes.values())), "workers": len({who for given in votes.values() for who in given}),
        "seconds": round(seconds, 1),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=Path, action="append", help="folder with one folder for each set")
    parser.add_argument("--gold-share", type=float, default=0.2)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "label_aggregation.json")
    args = parser.parse_args()
    if args.sets is None:
        print("label_aggregation: no sets given (--sets FOLDER), so nothing was measured", file=sys.stderr)
        sys.exit(AWAY)
    rows = []
    for folder in set_folders(args.sets):
        votes, gold = read_set(folder)
        classes = {label for given in votes.values() for label in given.values()}
        if len(gold) < MIN_GOLD or len(classes) > MAX_CLASSES:
            print(f"{folder.name}: {len(gold)} gold items, {len(classes)} different labels, left out")
            continue
        examples = random.Random(1).sample(sorted(gold), int(len(gold) * args.gold_share))
        rows += [compare(folder.name, votes, gold, given) for given in ([], examples)]
        for row in rows[-2:]:
            print(
                f"{row['metric']:<55} {row['ours']:.3f} against {row['peer_value']:.3f}: {row['gain']:+.3f} "
                f"[{row['gain_low']:+.3f}, {row['gain_high']:+.3f}], {row['items']} items, {row['seconds']} s, goal "
                f"+{GOAL}  {'met' if row['met'] else 'NOT met'}"
            )
    machine = {"machine": platform.machine(), "python": platform.python_version(), "crowd-kit": version("crowd-kit")}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps([row | machine for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
