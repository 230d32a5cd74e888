"""Lookup of a record and of a person in a hundred datasets of a million records each.

    python benchmarks/lineage.py [--records 1000000] [--datasets 100] [--out benchmarks/results/lineage.json]

The peer is what users would do without an index: read the column of ids of each dataset's Parquet file and search it.
It is timed on five of the datasets, and the time is multiplied. The benchmark takes about 9 GB of disk.
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

from tasks.inquiry.lineage import indexing, queries, tables  # noqa: E402
from tasks.inquiry.lineage.indexing import IndexedRecord, Mention  # noqa: E402
from tasks.inquiry.lineage.tables import IndexedDataset, IndexedSource  # noqa: E402

GOAL_SECONDS = 1.0
REPETITIONS = 5
SCANNED_DATASETS = 5
"""Number of datasets that the peer reads."""


def make(state: Path, number: int, keys: list[bytes], subjects: list[bytes]) -> None:
    source = IndexedSource(id="src", sha256="0" * 64, owner="data-owner", steward="data-owner")
    about = IndexedDataset(sha256=f"{number:064x}", use_case="bench", sources=(source,), rows={"train": len(keys)})
    records = (IndexedRecord(key, "src", row, "train") for row, key in enumerate(keys, 1))
    indexing.write_index(state, about, records, map(Mention, subjects, keys))


def drawn(random: np.random.Generator, count: int) -> list[bytes]:
    keys = np.sort(random.integers(0, 2**63, count, np.uint64))
    return [key.to_bytes(tables.KEY_BYTES) for key in keys.tolist()]


def seconds(ask: Callable[[], Any]) -> float:
    taken = []
    for _ in range(REPETITIONS):
        began = time.perf_counter()
        ask()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def measure(state: Path, records: int, datasets: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(1)
    keys = drawn(random, records)
    token = "email:aaaabbbbcccc"
    subjects = sorted([*drawn(random, records - 1), tables.subject_key(token)])
    began = time.perf_counter()
    for number in range(datasets):
        make(state, number, keys, subjects)
    took, size = time.perf_counter() - began, (state / tables.DATABASE_FILE).stat().st_size
    print(f"{datasets} datasets of {records:,} records: written in {took:.1f} s, {size / 2**20:.0f} MiB")
    table = pa.table({"record_id": [key.hex() for key in keys]})
    pq.write_table(table, state / "ids.parquet", compression="zstd")
    wanted = keys[records // 3].hex()
    assert (
        len(queries.memberships_of_record(state, wanted))
        == len(queries.memberships_of_subjects(state, [token]))
        == datasets
    )

    def scan() -> None:
        for _ in range(SCANNED_DATASETS):
            assert pc.index(pq.read_table(state / "ids.parquet")["record_id"], wanted).as_py() == records // 3

    peer = seconds(scan) * datasets / SCANNED_DATASETS
    return [
        row(f"{what} in {datasets} datasets of {records:,} records", seconds(look), peer)
        for what, look in {
            "a record": lambda: queries.memberships_of_record(state, wanted),
            "a person": lambda: queries.memberships_of_subjects(state, [token]),
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
