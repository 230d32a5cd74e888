"""Where is this record, and where is this person: asked of a million records in each of a hundred datasets.

    python benchmarks/lineage.py [--records 1000000] [--datasets 100] [--out benchmarks/results/lineage.json]

The peer is what a user would do without an index: read the column of ids of each dataset's Parquet file and look. It is
timed on five of the datasets and multiplied. Takes about 4 GB of disk.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tasks.core.files import write_json  # noqa: E402
from tasks.inquiry.lineage import ask, form  # noqa: E402
from tasks.inquiry.lineage.form import Dataset, Read  # noqa: E402

GOAL_SECONDS = 1.0
TIMES = 5
SCANNED = 5
"""Datasets that the peer reads."""


def make(state: Path, number: int, keys: np.ndarray, subjects: np.ndarray) -> None:
    """An index of a dataset as `lineage.build.add` writes it."""
    target = form.folder(state) / f"{number:064x}"
    target.mkdir(parents=True)
    columns = {
        "records": keys,
        "sides": np.zeros(len(keys), np.uint8),
        "sources": np.zeros(len(keys), np.uint16),
        "rows": np.arange(len(keys), dtype=np.uint32),
        "subjects": subjects,
        "about": keys,
    }
    for name, values in columns.items():
        np.save(target / f"{name}.npy", values)
    source = Read(id="src", sha256="0" * 64, owner="data-owner", steward="data-owner")
    about = Dataset(sha256=target.name, use_case="bench", sources=(source,), rows={"train": len(keys)})
    write_json(target / form.ABOUT, about.model_dump(mode="json"))


def seconds(ask: Callable[[], Any]) -> float:
    """Median of several times."""
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def measure(state: Path, records: int, datasets: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(1)
    keys = np.sort(random.integers(0, 2**63, records, np.uint64))
    token = "email:aaaabbbbcccc"
    subjects = np.sort(np.append(random.integers(0, 2**63, records - 1, np.uint64), np.uint64(form.subject_key(token))))
    for number in range(datasets):
        make(state, number, keys, subjects)
    table = pa.table({"record_id": [f"{key:016x}" for key in keys.tolist()]})
    pq.write_table(table, state / "ids.parquet", compression="zstd")
    wanted = f"{int(keys[records // 3]):016x}"
    assert len(ask.of_record(state, wanted)) == len(ask.of_subjects(state, [token])) == datasets

    def scan() -> None:
        for _ in range(SCANNED):
            assert pc.index(pq.read_table(state / "ids.parquet")["record_id"], wanted).as_py() == records // 3

    peer = seconds(scan) * datasets / SCANNED
    return [
        row(f"{what} in {datasets} datasets of {records:,} records", seconds(look), peer)
        for what, look in {
            "a record": lambda: ask.of_record(state, wanted),
            "a person": lambda: ask.of_subjects(state, [token]),
        }.items()
    ]


def row(metric: str, ours: float, peer: float) -> dict[str, Any]:
    return {
        "metric": metric, "ours": round(ours, 4), "peer": "reading the ids from Parquet", "peer_value": round(peer, 2),
        "ratio": round(ours / peer, 5), "goal": GOAL_SECONDS, "met": ours <= GOAL_SECONDS, "unit": "s",
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--datasets", type=int, default=100)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "lineage.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines = measure(Path(folder), args.records, args.datasets)
    for line in lines:
        verdict = "met" if line["met"] else "NOT met"
        print(f"{line['metric']:<52} {line['ours']:.4f} s, {line['peer']}: {line['peer_value']:.1f} s  {verdict}")
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps([line | machine for line in lines], indent=2) + "\n")


if __name__ == "__main__":
    main()
