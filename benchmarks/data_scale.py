"""Records per second and memory of the five data stages on support messages, each in the process that a run starts.

    python benchmarks/data_scale.py [--rows 10000,1000000] [--workers 2] [--keep FOLDER] [--out FILE]

For each size, the messages of benchmarks/inputs/support_texts.py become three sources, one of each kind, pinned and
mapped as those of the sample. Each stage runs on all of them with the sample's parameters, except that `split` keeps
all records. The memory of a stage is the maximum of its processes, as the kernel counted it. The smallest size is run
once more with one process, and every output must have the same digest. A million records take about twenty minutes and
3 GB of disk.

No public tool does the same from sources to a split, so the figures have goals but no peer.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
SOURCES = {"tickets": "csv", "chats": "jsonl", "emails": "parquet"}
STAGES = ("ingest", "clean", "deduplicate", "validate", "split")
MEMORY_GOAL = 2.0
"""Maximum memory of a process, in GB."""
MIN_SPEED_SHARE = 0.85
"""Minimum share of the records per second of the smallest size."""


@dataclass(frozen=True)
class StageCost:
    """Time and memory of one stage."""

    seconds: float
    processor_seconds: float
    """Seconds of processor time of all its processes. They depend little on other work on the machine."""
    memory_gb: float
    """Maximum memory of its processes, in GB."""


def write_run(root: Path, rows: int) -> None:
    """Write sources, parameters and inputs/ of a run.

    This runs in a process of its own, since a measured process starts with the memory of its parent.
    """
    from datetime import date

    from tasks.core.files import write_json
    from tasks.core.layout import Layout
    from tasks.runs.requests.resolution import read_params
    from tasks.runs.requests.source_resolution import resolve_sources
    from tasks.sources import expectation_suites, sources, vault_keys

    command = [sys.executable, ROOT / "benchmarks/inputs/support_texts.py", root / "sources", "--rows", str(rows)]
    subprocess.run(command, check=True)
    layout, governance = Layout(root), ROOT / "infra" / "governance"
    named = sources.load_sources(governance)
    located = [
        source.model_copy(
            update={
                "kind": kind,
                "location": f"sources/{source.id}.{kind}",
                "encoding": "utf-8",
                "delimiter": ",",
                "mapping": source.mapping.model_copy(update={"retired_at": None}),
            }
        )
        for source in named.sources
        for kind in [SOURCES[source.id]]
    ]
    vault_keys.create_key(layout.state)
    pinned = resolve_sources(
        named.model_copy(update={"sources": located, "truth": None}),
        root,
        date(2026, 3, 1),
        vault_keys.load_keys(layout.state).fingerprint,
    )
    write_json(layout.sources_path, pinned.model_dump(mode="json"))
    write_json(layout.suites_path, expectation_suites.load_suites(governance, named).model_dump(mode="json"))
    _, text = read_params(ROOT / "params.yaml", {"data.train_rows": "null", "data.test_rows": "null"})
    layout.params_path.write_text(text)


def run_stage(root: Path, name: str, workers: int) -> StageCost:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HALLMARK_WORKERS": str(workers)}
    began = time.monotonic()
    with (root / f"{name}.log").open("wb") as log:
        command = [sys.executable, "-m", "tasks.stages", name]
        stage = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(stage.pid, 0)
    stage.returncode = os.waitstatus_to_exitcode(status)
    if stage.returncode:
        sys.exit(f"{name}: exit code {stage.returncode}\n{(root / f'{name}.log').read_text()[-2000:]}")
    return StageCost(time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e9)


def run_stages(root: Path, rows: int, workers: int) -> dict[str, StageCost]:
    taken = {}
    for name in STAGES:
        cost = taken[name] = run_stage(root, name, workers)
        print(
            f"{rows:>9,} {name:<12} {workers} workers {cost.seconds:>8.1f} s {rows / cost.seconds:>9,.0f} records/s "
            f"{cost.processor_seconds:>8.1f} s busy {cost.memory_gb:>6.2f} GB",
            flush=True,
        )
    return taken


def measure(folder: Path, sizes: list[int], workers: int) -> list[dict[str, Any]]:
    from tasks.core.files import tree_manifest
    from tasks.core.layout import Layout

    taken, differing = {}, 0
    for rows in sizes:
        root = folder / str(rows)
        subprocess.run([sys.executable, __file__, "--write", root, "--rows", str(rows)], check=True)
        taken[rows] = run_stages(root, rows, workers)
        if rows == sizes[0]:
            first = tree_manifest(root / "artefacts")
            shutil.rmtree(Layout(root).state / "ingested")  # else the second run would read no source again
            run_stages(root, rows, 1)
            differing = len(dict(first.items() ^ tree_manifest(root / "artefacts").items()))
    return [*compared(taken), row(f"outputs that differ with one worker, {sizes[0]:,} records", differing, 0, "files")]


def compared(taken: dict[int, dict[str, StageCost]]) -> list[dict[str, Any]]:
    pace = {rows: rows / sum(cost.seconds for cost in stages.values()) for rows, stages in taken.items()}
    smallest, lines = min(pace), []
    for rows, stages in taken.items():
        for name, cost in stages.items():
            lines.append(row(f"{name}, {rows:,} records", rows / cost.seconds, None, "records/s"))
            lines.append(row(f"{name}, {rows:,} records, memory of a process", cost.memory_gb, MEMORY_GOAL, "GB"))
        lines.append(row(f"all stages, {rows:,} records", pace[rows], None, "records/s"))
        if rows != smallest:
            metric = f"pace at {rows:,} records over that at {smallest:,}"
            lines.append(row(metric, pace[rows] / pace[smallest], MIN_SPEED_SHARE, "", at_least=True))
    return lines


def row(metric: str, ours: float, goal: float | None, unit: str, at_least: bool = False) -> dict[str, Any]:
    met = None if goal is None else ours >= goal if at_least else ours <= goal
    return {
        "metric": metric, "ours": round(ours, 3), "peer": None, "peer_value": None,
        "ratio": round(ours / goal, 3) if goal else None, "goal": goal, "met": met, "unit": unit,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="10000,1000000", help="sizes, parted by commas; the first is compared with")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="leave the runs here; else they are removed")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "data_scale.json")
    args = parser.parse_args()
    sizes = [int(size) for size in args.rows.split(",")]
    if args.write:
        write_run(args.write, sizes[0])
        return
    with tempfile.TemporaryDirectory() as scratch:
        lines = measure(args.keep or Path(scratch), sizes, args.workers)
    for line in lines:
        verdict = {True: "met", False: "NOT met", None: ""}[line["met"]]
        goal = "" if line["goal"] is None else f"goal {line['goal']:g}"
        print(f"{line['metric']:<58} {line['ours']:>12,.3f} {line['unit']:<9} {goal}  {verdict}")
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    machine |= {name: version(name) for name in ("pyarrow", "numpy", "rensa", "great-expectations")}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps([line | machine for line in lines], indent=2) + "\n")


if __name__ == "__main__":
    main()
