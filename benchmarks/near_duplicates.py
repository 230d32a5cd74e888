"""Speed and recall of near-duplicate detection compared with datasketch, and memory of the stage for a million records.

    python benchmarks/near_duplicates.py [--texts 20000] [--rounds 3] [--records 1000000] [--out FILE]

Both get the same texts of 80 random words on one core, in turns in every round. Every fifth text is an earlier one with
one to three words changed. The figure is the median of the rounds' ratios. Hallmark's time includes everything from
text to pairs that are proven by exact Jaccard similarity. datasketch is used in its usual way, with word trigrams and
MinHashLSH with 128 permutations, and proves nothing. The million records are short messages of about 84 characters, a
tenth of them changed copies; the figure is the maximum memory of the process that runs the stage.
"""

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
GOAL = 15_000 / 3_800
"""Minimum ratio of texts per second: the requirement, divided by datasketch's speed on the machine for which it was
set."""
MEMORY_GOAL = 2.0
"""Maximum memory of the stage, in GB."""
RECALL_GOAL = 0.995
JACCARD = 0.85
Pairs = set[tuple[int, int]]


def vocabulary(dice: random.Random) -> list[str]:
    return ["".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=dice.randint(2, 9))) for _ in range(20_000)]


def texts(count: int, words: int, copies: float, changes: int, seed: int) -> Iterator[tuple[str, int | None]]:
    """Yield texts, each with the index of the text that it is a changed copy of, or None."""
    dice = random.Random(seed)
    known, originals = vocabulary(dice), list[tuple[int, list[str]]]()
    for place in range(count):
        if originals and dice.random() < copies:
            original, text = dice.choice(originals)
            text = list(text)
            for _ in range(dice.randint(1, changes)):
                text[dice.randrange(words)] = dice.choice(known)
            yield " ".join(text), original
        else:
            text = dice.choices(known, k=words)
            if len(originals) < 50_000:
                originals.append((place, text))
            yield " ".join(text), None


def ours(given: list[str]) -> Pairs:
    import numpy as np

    from tasks.stages.data.deduplicate.similarity.form import casefold_texts, normalise_for_similarity
    from tasks.stages.data.deduplicate.similarity.pairs import find_near_pairs

    folded = [normalise_for_similarity(casefold_texts(given[i : i + 5_000])) for i in range(0, len(given), 5_000)]
    import pyarrow as pa

    near = find_near_pairs(pa.concat_arrays(folded), np.arange(len(given)), JACCARD)
    return set(map(tuple, near.pairs.tolist()))


def datasketch(given: list[str]) -> Pairs:
    from datasketch import MinHash, MinHashLSH

    index, pairs = MinHashLSH(threshold=JACCARD, num_perm=128), set()
    for place, text in enumerate(given):
        words = text.encode().split()
        sketch = MinHash(num_perm=128)
        sketch.update_batch([b" ".join(words[i : i + 3]) for i in range(len(words) - 2)])
        pairs.update((other, place) for other in index.query(sketch))
        index.insert(place, sketch)
    return pairs


def true_pairs(given: list[tuple[str, int | None]]) -> Pairs:
    """Return the copies whose Jaccard similarity, computed with Python's sets, is at least JACCARD."""
    pairs = set()
    for place, (text, original) in enumerate(given):
        if original is None:
            continue
        own, others = (
            {padded[i : i + 5] for i in range(len(padded) - 4)}
            for padded in (text.encode() + b"    ", given[original][0].encode() + b"    ")
        )
        if len(own & others) >= JACCARD * len(own | others):
            pairs.add((original, place))
    return pairs


def speed(given: list[tuple[str, int | None]], rounds: int) -> list[dict[str, Any]]:
    plain, truth = [text for text, _ in given], true_pairs(given)
    both: dict[str, Callable[[list[str]], Pairs]] = {"ours": ours, "datasketch": datasketch}
    taken: dict[str, list[float]] = {name: [] for name in both}
    recall = {}
    for find in both.values():
        find(plain[:500])  # warm up: imports and threads
    for _ in range(rounds):
        for name, find in both.items():
            began = time.perf_counter()
            pairs = find(plain)
            taken[name].append(time.perf_counter() - began)
            recall[name] = len(pairs & truth) / len(truth)
    ratio = statistics.median(peer / mine for mine, peer in zip(taken["ours"], taken["datasketch"], strict=True))
    rate = {name: len(plain) / statistics.median(seconds) for name, seconds in taken.items()}
    return [
        {
            "metric": "near-duplicates, texts of 80 words", "ours": round(rate["ours"]), "peer": "datasketch",
            "peer_value": round(rate["datasketch"]), "ratio": round(ratio, 2), "goal": round(GOAL, 2),
            "met": ratio >= GOAL, "unit": "texts/s",
        },
        {
            "metric": "near-duplicates, recall of planted pairs", "ours": round(recall["ours"], 4),
            "peer": "datasketch", "peer_value": round(recall["datasketch"], 4),
            "ratio": round(recall["ours"] / recall["datasketch"], 3), "goal": RECALL_GOAL,
            "met": recall["ours"] >= RECALL_GOAL, "unit": "share",
        },
    ]  # fmt: skip


def write_run(root: Path, records: int) -> None:
    """Write a run's output of `ingest` and `clean`, with that many short messages."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tasks.core.files import write_json
    from tasks.core.layout import Layout
    from tasks.core.records.record import RECORD_SCHEMA, write_table
    from tasks.stages.data.ingest.batch_processor import ROWS_SCHEMA

    layout, stream = Layout(root), texts(records, words=13, copies=0.1, changes=1, seed=2)
    source = {"id": "src", "kind": "csv", "location": "x", "owner": "o", "steward": "o", "access": ["r"]}
    source |= {"classification": "public", "lawful_basis": "no personal data", "licence": "CC0-1.0", "region": "eu"}
    source |= {"retention_days": 365, "refresh_days": 30, "approved_uses": ["benchmarks"]}
    source |= {"mapping": {"prompt": "p", "response": "r"}, "constants": {"task": "t"}}
    pinned = {"source": source, "sha256": "0" * 64, "bytes": 1}
    write_json(layout.sources_path, {"sources": [pinned], "as_of": "2026-03-01", "vault": "0" * 32})
    plain = dict.fromkeys(RECORD_SCHEMA.names, "") | {
        "policy_tags": [],
        "subjects": [],
        "source_id": "src",
        "task": "t",
    }
    plain |= {"effective_from": None, "retired_at": None}
    (layout.artefacts("clean")).mkdir(parents=True)
    with pq.ParquetWriter(layout.artefacts("clean") / "records.parquet", RECORD_SCHEMA, compression="zstd") as writer:
        for begin in range(0, records, 50_000):
            rows = []
            for number in range(begin, min(begin + 50_000, records)):
                turns = [{"role": "user", "content": next(stream)[0]}, {"role": "assistant", "content": "yes"}]
                rows.append(plain | {"record_id": f"{number:032x}", "messages": turns})
            writer.write_table(pa.Table.from_pylist(rows, schema=RECORD_SCHEMA))
    places = pa.table(
        [[f"{n:032x}" for n in range(records)], ["src"] * records, list(range(1, records + 1))], schema=ROWS_SCHEMA
    )
    write_table(places, layout.artefacts("ingest") / "rows.parquet")


STAGE = """
import json, resource, sys, time
from pathlib import Path
from tasks.core.params import params
from tasks.stages.data.deduplicate import deduplicate
from tasks.core.layout import Layout
began = time.perf_counter()
result = deduplicate.run(params.load_params(Path(sys.argv[1])), Layout(Path(sys.argv[2])))
seconds, peak = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
print(json.dumps({"seconds": seconds, "peak": peak, "removed": result.counts.quarantined}))
"""


def memory(records: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, __file__, "--write", folder, "--records", str(records)], check=True)
        command = [sys.executable, "-c", STAGE, str(ROOT / "params.yaml"), folder]
        ran = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    said = json.loads(ran.stdout)
    print(f"{records:,} records: {records / said['seconds']:,.0f} a second, {said['removed']}")
    return [
        {
            "metric": f"stage deduplicate, memory for {records:,} short records", "ours": round(said["peak"], 2),
            "peer": "none", "peer_value": None, "ratio": None, "goal": MEMORY_GOAL,
            "met": said["peak"] <= MEMORY_GOAL, "unit": "GB",
        }
    ]  # fmt: skip


def one_core() -> None:
    """Limit this process to one core. This must be called before anything that starts threads is imported."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ["RAYON_NUM_THREADS"] = "1"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--records", type=int, default=1_000_000, help="0 leaves this measurement out")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "near_duplicates.json")
    args = parser.parse_args()
    if args.write:
        write_run(args.write, args.records)
        return
    one_core()
    rows = memory(args.records) if args.records else []
    rows = speed(list(texts(args.texts, words=80, copies=0.2, changes=3, seed=1)), args.rounds) + rows
    for row in rows:
        verdict = "met" if row["met"] else "NOT met"
        beside = f" against {row['peer_value']} ({row['ratio']} ×)" if row["peer_value"] is not None else ""
        print(f"{row['metric']:<55} {row['ours']}{beside} {row['unit']}, goal {row['goal']}  {verdict}")
    machine = {"machine": platform.machine(), "cores": 1, "python": platform.python_version()}
    machine |= {name: version(name) for name in ("rensa", "datasketch", "numpy", "pyarrow")}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps([row | machine for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
