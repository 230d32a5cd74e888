"""The sample run on a fresh clone, and again with nothing changed: seconds, peak memory, overhead of a cached stage.

    python benchmarks/sample_run.py [--out benchmarks/results/sample_run.json]

There is no other tool that does the same, so the figures stand against their goals alone.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
GOALS = {"first run": 600.0, "peak memory of a process": 6.0, "unchanged run": 45.0, "cached stage, slowest": 1.0}


class Memory(threading.Thread):
    """The largest resident memory of any process that works below a folder, sampled twice a second."""

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder, self.peak, self.of, self.going = str(folder), 0, "", True

    def run(self) -> None:
        while self.going:
            for process in psutil.process_iter(["cwd", "memory_info", "cmdline"]):
                info = process.info
                if (info["cwd"] or "").startswith(self.folder) and info["memory_info"].rss > self.peak:
                    self.peak, self.of = info["memory_info"].rss, " ".join(info["cmdline"] or [])[:60]
            time.sleep(0.5)


def hallmark(clone: Path, *args: str) -> str:
    command = [str(Path(sys.executable).with_name("hallmark")), *args]
    return subprocess.run(command, cwd=clone, check=True, capture_output=True, text=True).stdout


def timed_run(clone: Path) -> tuple[float, dict[str, Any]]:
    began = time.monotonic()
    told = json.loads(hallmark(clone, "run", "--as", "ml-engineer", "--demo-approvals", "--json"))
    return time.monotonic() - began, told


def measure(clone: Path) -> list[dict[str, Any]]:
    memory = Memory(clone)
    memory.start()
    try:
        first, promoted = timed_run(clone)
        hallmark(clone, "down")  # so that starting Prefect is part of both
        again, unchanged = timed_run(clone)
    finally:
        hallmark(clone, "down")
        memory.going = False
    assert (promoted["status"], unchanged["status"]) == ("promoted", "unchanged"), (promoted, unchanged)
    slowest = max(stage["seconds"] for stage in unchanged["stages"].values())
    print(f"largest process: {memory.of}")
    return [
        row("first run", first, "s"),
        row("peak memory of a process", memory.peak / 1e9, "GB"),
        row("unchanged run", again, "s"),
        row("cached stage, slowest", slowest, "s"),
    ]


def row(metric: str, ours: float, unit: str) -> dict[str, Any]:
    goal = GOALS[metric]
    return {
        "metric": metric, "ours": round(ours, 2), "peer": None, "peer_value": None, "ratio": round(ours / goal, 3),
        "goal": goal, "met": ours <= goal, "unit": unit,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "sample_run.json")
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        hallmark(clone, "init")
        rows = measure(clone)
    for line in rows:
        verdict = "met" if line["met"] else "NOT met"
        print(f"{line['metric']:<28} {line['ours']:>9.2f} {line['unit']:<3} goal {line['goal']:g}  {verdict}")
    machine = {"machine": platform.machine(), "cores": psutil.cpu_count(), "python": platform.python_version()}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps([line | machine for line in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
