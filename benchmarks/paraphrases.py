"""Contradictions between paraphrases that `deduplicate` shows, compared with cosine similarity of TF-IDF vectors.

    python benchmarks/paraphrases.py --data DIR [--seeds 5] [--scale 10000] [--out FILE]

DIR has public sets under the names that they have in their repositories: stackExchange-FAQ.json (StackFAQ, in
ML-Recipes/BERT-FAQ), data_full.json (CLINC150, clinc/oos-eval), NQ-open.dev.jsonl (google-research-datasets/
natural-questions), and *_train.csv of HINT3 (hellohaptik/HINT3, dataset/v2/train). BANKING77 is read from
HALLMARK_SHARED. A set that is absent is left out; without any the script exits with 3.

Questions: two phrasings of each thread of StackFAQ have two answers; all other questions have an answer of their own.
A pair is right if both are of one thread. Labels: 3 % of the prompts of a classifier get another label. A pair is right
if one of the two has such a label and both had the same before. Labels that were wrong before count as false.

The thresholds were chosen on the sets marked "tuned". Those marked "unseen" are other threads and labels, and other
data, looked at once. For TF-IDF, as a user would try it, a pair is the nearest prompt with another answer, from the
least similarity with at most 10 % false pairs on the tuned set of the same kind, or .5 if there is none.
"""

import argparse
import csv
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
SHARED = Path(os.environ.get("HALLMARK_SHARED", ROOT / ".." / "shared"))
WRONG_LABELS = 0.03
THRESHOLDS = np.arange(0.5, 1, 0.02)
RECALL_GOAL, PRECISION_GOAL = 0.6, 0.9
Pairs = list[tuple[int, int, float]]
Finder = Callable[[list[str], np.ndarray], Pairs]


class Sample(NamedTuple):
    prompts: list[str]
    answers: np.ndarray
    truth: list[Any]
    """Thread or right label of each prompt; None for a question that no other prompt asks."""
    planted: list[set[int]]
    """Prompts of each planted contradiction, of which one has to be shown in a right pair."""


def questions(data: Path, half: int, seed: int, others: int) -> Sample:
    dice = random.Random(seed)
    prompts, truth = [], list[Any]()
    for thread, pair in enumerate(json.loads((data / "stackExchange-FAQ.json").read_text())["root"]["qapair"]):
        phrased = pair["rephr"] if isinstance(pair["rephr"], list) else [pair["rephr"]]
        asked = pair["question"] if isinstance(pair["question"], str) else pair["question"][0]
        own = list(dict.fromkeys([asked, *(each for each in phrased if each and len(each) > 8)]))
        if thread % 2 == half:
            prompts += dice.sample(own, 2)
            truth += [thread] * 2
    planted = [{place, place + 1} for place in range(0, len(prompts), 2)]
    if others:
        rows = (data / "NQ-open.dev.jsonl").read_text().splitlines()[half::2]
        prompts += [json.loads(row)["question"] for row in dice.sample(rows, others)]
        truth += [None] * others
    return Sample(prompts, np.arange(len(prompts)), truth, planted)


def labels(rows: list[tuple[str, str]], seed: int) -> Sample:
    dice = random.Random(seed)
    names = sorted({label for _, label in rows})
    given = [label for _, label in rows]
    wrong = dice.sample(range(len(rows)), max(5, int(WRONG_LABELS * len(rows))))
    for place in wrong:
        given[place] = dice.choice([name for name in names if name != given[place]])
    return Sample(
        [text for text, _ in rows], np.array([names.index(each) for each in given]), [label for _, label in rows],
        [{place} for place in wrong],
    )  # fmt: skip


def half_of(rows: list[tuple[str, str]], half: int) -> list[tuple[str, str]]:
    kept = set(sorted({label for _, label in rows})[half::2])
    return [row for row in dict(rows).items() if row[1] in kept]


def read_csv(path: Path, text: str, label: str) -> list[tuple[str, str]]:
    with path.open(newline="") as file:
        return [(row[text], row[label]) for row in csv.DictReader(file) if row[text].strip()]


def samples(data: Path) -> Iterator[tuple[str, str, str, Callable[[int], Sample]]]:
    """Yield kind, name, "tuned" or "unseen", and a function of a seed, for each set that is at hand."""
    if (data / "stackExchange-FAQ.json").exists():
        for half, seen in enumerate(("tuned", "unseen")):
            yield "questions", "StackFAQ", seen, lambda seed, half=half: questions(data, half, seed, 0)
            if (data / "NQ-open.dev.jsonl").exists():
                for others in (100, 1700):
                    name = f"StackFAQ among {others:,} of NQ-open"
                    yield "questions", name, seen, lambda s, h=half, o=others: questions(data, h, s, o)
    rows = {}
    if (data / "data_full.json").exists():
        rows["CLINC150"] = [tuple(row) for row in json.loads((data / "data_full.json").read_text())["test"]]
    if (SHARED / "data" / "banking77" / "test.csv").exists():
        rows["BANKING77"] = read_csv(SHARED / "data" / "banking77" / "test.csv", "text", "category")
    for name, own in rows.items():
        for half, seen in enumerate(("tuned", "unseen")):
            yield "labels", name, seen, lambda seed, own=own, half=half: labels(half_of(own, half), seed)
    for path in sorted(data.glob("*_train.csv")):
        own = list(dict(read_csv(path, "sentence", "label")).items())
        yield "labels", f"HINT3 {path.stem.removesuffix('_train')}", "unseen", lambda seed, own=own: labels(own, seed)


def ours(prompts: list[str], answers: np.ndarray) -> Pairs:
    from tasks.stages.data.deduplicate.paraphrases.candidates import find_candidates

    return [tuple(each) for each in find_candidates(prompts, answers).candidates]


def tfidf(prompts: list[str], answers: np.ndarray) -> Pairs:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)).fit_transform(prompts)
    likeness = (vectors @ vectors.T).toarray()
    likeness[answers[:, None] == answers] = -1
    nearest = likeness.argmax(1)
    pairs = {(min(a, b), max(a, b)): likeness[a, b] for a, b in enumerate(nearest.tolist())}
    return [(a, b, float(value)) for (a, b), value in pairs.items() if value >= THRESHOLDS[0]]


def count(sample: Sample, pairs: Pairs, least: float = 0) -> np.ndarray:
    """Return the numbers of planted contradictions found, planted, right pairs, and pairs shown."""
    wrong = set.union(*sample.planted)
    shown = [(a, b) for a, b, likeness in pairs if likeness >= least]
    right = [p for p in shown if sample.truth[p[0]] == sample.truth[p[1]] is not None and wrong & {*p}]
    in_right = {place for pair in right for place in pair}
    found = sum(bool(each & in_right) for each in sample.planted)
    return np.array([found, len(sample.planted), len(right), len(shown)])


def interval(hits: int, of: int) -> list[float]:
    """Return the Wilson interval of 95 %."""
    if not of:
        return [0.0, 1.0]
    share, z = hits / of, 1.96
    middle, half = share + z * z / 2 / of, z * (share * (1 - share) / of + z * z / 4 / of / of) ** 0.5
    return [round((middle + sign * half) / (1 + z * z / of), 3) for sign in (-1, 1)]


def figures(counts: np.ndarray) -> dict[str, Any]:
    found, planted, right, shown = counts.tolist()
    return {
        "planted": planted, "shown": shown, "recall": round(found / planted, 3),
        "recall_interval": interval(found, planted), "precision": round(right / shown, 3) if shown else None,
        "precision_interval": interval(right, shown),
    }  # fmt: skip


def quality(data: Path, seeds: int) -> list[dict[str, Any]]:
    measured, least = [], dict[str, float]()
    for kind, name, seen, make in samples(data):
        made = [make(seed) for seed in range(seeds)]
        ours_counts = sum(count(sample, ours(sample.prompts, sample.answers)) for sample in made)
        peers = [(sample, tfidf(sample.prompts, sample.answers)) for sample in made]
        by_threshold = {t: sum(count(*each, t) for each in peers) for t in THRESHOLDS.tolist()}
        if kind not in least:
            good = [t for t, each in by_threshold.items() if each[3] and each[2] >= PRECISION_GOAL * each[3]]
            least[kind] = min(good, default=0.5)
        measured.append({
            "kind": kind, "set": name, "seen": seen, "prompts": len(made[0].prompts), "ours": figures(ours_counts),
            "tfidf": {"least": round(least[kind], 2), **figures(by_threshold[least[kind]])},
        })  # fmt: skip
        print(row(measured[-1]), flush=True)
    return measured


def row(each: dict[str, Any]) -> str:
    def cells(of: dict[str, Any]) -> str:
        low, high = of["recall_interval"]
        bottom, top = of["precision_interval"]
        return f"{of['recall']:.2f} ({low:.2f} to {high:.2f}) | {of['precision'] or 0:.2f} ({bottom:.2f} to {top:.2f})"

    return f"| {each['set']} | {each['seen']} | {each['prompts']:,} | {cells(each['ours'])} | {cells(each['tfidf'])} |"


def scale(data: Path, size: int) -> dict[str, Any]:
    """Return the seconds for prompts of two questions of CLINC150 each, all with answers of their own."""
    texts = [text for text, _ in json.loads((data / "data_full.json").read_text())["train"]]
    dice = random.Random(size)
    prompts = sorted({" and ".join(dice.sample(texts, 2)) for _ in range(size)})
    began, cpu = time.perf_counter(), time.process_time()
    found = ours(prompts, np.arange(len(prompts)))
    return {
        "prompts": len(prompts), "seconds": round(time.perf_counter() - began, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1), "cores": len(os.sched_getaffinity(0)), "pairs": len(found),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "data")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--scale", type=int, nargs="*", default=[])
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "paraphrases.json")
    given = parser.parse_args()
    if not any(True for _ in samples(given.data)):
        print(f"none of the sets is in {given.data}", file=sys.stderr)
        sys.exit(3)
    print("| set | | prompts | recall | precision | recall of TF-IDF | precision of TF-IDF |\n|" + "---|" * 7)
    result: dict[str, Any] = {"goal": {"recall": RECALL_GOAL, "precision": PRECISION_GOAL}, "seeds": given.seeds}
    result["quality"] = quality(given.data, given.seeds) if given.seeds else []
    result["scale"] = []
    for size in given.scale:
        result["scale"].append(scale(given.data, size))
        print(", ".join(f"{name} {value:,}" for name, value in result["scale"][-1].items()), flush=True)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
