"""Sample run on two fresh clones, from set-up on, and an unchanged second run: seconds, memory and overhead.

    python benchmarks/sample_run.py [--out benchmarks/results/sample_run.json]

Each clone gets its own environment with the Makefile's target, as `make run` makes it, with the package files in pip's
cache or in pip's other places. The two take about 7 GB. The clones share neither cache nor state except the vault's
key, from which tokens are made. Every output of the second clone must have the same digest as in the first. No other
tool does the same, so the figures have goals but no peer.
"""

import argparse
import base64
import json
import os
import platform
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tasks.sources import vault_keys  # noqa: E402

GOALS: dict[str, float | None] = {
    "setting up, package files at hand": None,
    "setting up and first run, slower of two clones": 840.0,
    "first run, slower of two clones": 600.0,
    "peak memory of a process": 6.0,
    "unchanged run": 45.0,
    "cached stage, slowest": 1.0,
    "outputs that differ between clones": 0.0,
}


class PeakMemory(threading.Thread):
    """Thread that measures the maximum resident memory of any process of the runs below a folder, twice a second.

    Ray's workers have other current folders, so a process also belongs to a run if its environment names the folder.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(daemon=True)
        self.folder, self.peak, self.of, self.going = str(folder), 0, "", True
        self.ours: dict[int, bool] = {}

    def run(self) -> None:
        while self.going:
            for process in psutil.process_iter(["pid", "memory_info", "cmdline"]):
                info = process.info
                if self._is_ours(process) and info["memory_info"].rss > self.peak:
                    self.peak, self.of = info["memory_info"].rss, " ".join(info["cmdline"] or [])[:60]
            time.sleep(0.5)

    def _is_ours(self, process: psutil.Process) -> bool:
        if process.pid not in self.ours:
            try:
                named = [process.cwd(), *process.environ().values()]
            except psutil.Error:
                return False
            self.ours[process.pid] = any(self.folder in value for value in named)
        return self.ours[process.pid]


def hallmark(clone: Path, *args: str) -> str:
    command = [str(clone / ".venv" / "bin" / "hallmark"), *args]
    return subprocess.run(command, cwd=clone, check=True, capture_output=True, text=True).stdout


def set_up(clone: Path) -> float:
    """Do what `make run` does before the run. Return the seconds."""
    began = time.monotonic()
    subprocess.run(["make", "--silent", f"PYTHON={sys.executable}", ".venv/.ready"], cwd=clone, check=True)
    hallmark(clone, "init")
    return time.monotonic() - began


def timed_run(clone: Path) -> tuple[float, dict[str, Any]]:
    began = time.monotonic()
    result = json.loads(hallmark(clone, "run", "--as", "ml-engineer", "--demo-approvals", "--json"))
    return time.monotonic() - began, result


def measure(clones: list[Path], setups: list[float]) -> list[dict[str, Any]]:
    firsts, unchanged, outputs = [], {}, []
    memory = PeakMemory(clones[0].parent)
    memory.start()
    for clone in clones:
        try:
            seconds, promoted = timed_run(clone)
            print(f"{clone.name}: {promoted['status']} in {seconds:.0f} s", flush=True)
            hallmark(clone, "down")  # both runs then include the start of Prefect
            again, unchanged = timed_run(clone)
        finally:
            hallmark(clone, "down")
        assert (promoted["status"], unchanged["status"]) == ("promoted", "unchanged"), (promoted, unchanged)
        firsts.append(seconds)
        outputs.append(digests(clone, promoted["run"]))
    memory.going = False
    print(f"largest process: {memory.of}; outputs compared: {len(outputs[0])}")
    return [
        row("setting up, package files at hand", max(setups), "s"),
        row("setting up and first run, slower of two clones", max(map(sum, zip(setups, firsts, strict=True))), "s"),
        row("first run, slower of two clones", max(firsts), "s"),
        row("peak memory of a process", memory.peak / 1e9, "GB"),
        row("unchanged run", again, "s"),
        row("cached stage, slowest", max(stage["seconds"] for stage in unchanged["stages"].values()), "s"),
        row("outputs that differ between clones", len(dict(outputs[0].items() ^ outputs[1].items())), ""),
    ]


def digests(clone: Path, run: str) -> dict[str, str]:
    """Return the MD5 of every output in a run's dvc.lock, except those in measured/, which differ by nature."""
    stages = yaml.safe_load((clone / ".hallmark" / "runs" / run / "dvc.lock").read_text())["stages"]
    outs = [out for stage in stages.values() for out in stage["outs"]]
    return {out["path"]: out["md5"] for out in outs if not out["path"].startswith("measured/")}


def row(metric: str, ours: float, unit: str) -> dict[str, Any]:
    goal = GOALS[metric]
    return {
        "metric": metric, "ours": round(ours, 2), "peer": None, "peer_value": None,
        "ratio": round(ours / goal, 3) if goal else None, "goal": goal, "met": None if goal is None else ours <= goal,
        "unit": unit,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "sample_run.json")
    out = parser.parse_args().out
    os.environ[vault_keys.KEY_VARIABLE] = base64.b64encode(secrets.token_bytes(vault_keys.KEY_BYTES)).decode()
    with tempfile.TemporaryDirectory() as folder:
        clones = [Path(folder) / name for name in ("one", "two")]
        for clone in clones:
            subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        rows = measure(clones, [set_up(clone) for clone in clones])
    for line in rows:
        verdict = {True: "met", False: "NOT met", None: ""}[line["met"]]
        goal = "no goal of its own" if line["goal"] is None else f"goal {line['goal']:g}"
        print(f"{line['metric']:<47} {line['ours']:>9.2f} {line['unit']:<3} {goal}  {verdict}")
    machine = {"machine": platform.machine(), "cores": psutil.cpu_count(), "python": platform.python_version()}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps([line | machine for line in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
