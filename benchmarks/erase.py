"""Erasure of one person in the index of lineage: the search of a plan, and the removal.

    python benchmarks/erase.py [--records 1000000] [--datasets 100]

The index is that of benchmarks/lineage.py. The goals are those of a plan, and of an execution beyond rewriting files.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.lineage import drawn, make  # noqa: E402
from tasks.erase import affected_runs, index_removal  # noqa: E402
from tasks.inquiry.lineage import tables  # noqa: E402

PLAN_GOAL_SECONDS, EXECUTION_GOAL_SECONDS = 2.0, 60.0
TOKEN = "email:aaaabbbbcccc"


def measure(state: Path, records: int, datasets: int) -> bool:
    random = np.random.default_rng(1)
    keys = drawn(random, records)
    subjects = sorted([*drawn(random, records - 1), tables.subject_key(TOKEN)])
    for number in range(datasets):
        make(state, number, keys, subjects)
    began = time.perf_counter()
    found = affected_runs.find_affected(state, [TOKEN])
    planned = time.perf_counter() - began
    assert len(found.datasets) == datasets and len(found.records) == 1
    began = time.perf_counter()
    index_removal.remove_from_index(state, found.records, [TOKEN])
    removed = time.perf_counter() - began
    assert not affected_runs.find_affected(state, [TOKEN], found.records).datasets
    print(f"{datasets} datasets of {records:,} records: searched in {planned:.3f} s, removed in {removed:.2f} s")
    return planned <= PLAN_GOAL_SECONDS and removed <= EXECUTION_GOAL_SECONDS


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--datasets", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(0 if measure(Path(folder), given.records, given.datasets) else 1)
