"""Exactness of training after kills, with other ways to compute, and with other numbers of workers.

    python benchmarks/training_exact.py [--kills 20] [--out benchmarks/results/training_exact.json]

The model has 330,000 parameters, in fp32. A process that trains with several passes per step and packed rows is killed
(SIGKILL) at random times and started again each time. Its result is compared with that of an undisturbed training: the
rows of each step, the losses, and the bytes of the adapter. The invariance matrix and the changes of workers (2, 1, 2
under ZeRO 2 and 3) are those of tests/stages/train; the figure is the largest difference in the loss of a step.
"""

import argparse
import json
import pickle
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
MAX_LOSS_DIFFERENCE = 1e-5
STEPS = 60


def as_worker(folder: Path) -> None:
    """Train the job in a folder (`--worker FOLDER`)."""
    import os

    os.environ.update(DS_ACCELERATOR="cpu", RANK="0", WORLD_SIZE="1", LOCAL_RANK="0", LOCAL_WORLD_SIZE="1")
    from torch import distributed

    from tasks.stages.train import loop

    (folder / "meeting").unlink(missing_ok=True)
    distributed.init_process_group("gloo", init_method=f"file://{folder / 'meeting'}", rank=0, world_size=1)
    loop.run_training(pickle.loads((folder / "job.pickle").read_bytes()))


def job(folder: Path, model: Path, rows: Path, **changes: Any) -> Any:
    from tasks.stages.train.job import Job
    from tests.stages.train.conftest import training

    for part in ("checkpoints", "output", "scratch"):
        (folder / part).mkdir(parents=True)
    parts = (folder / part for part in ("checkpoints", "output", "scratch"))
    made = Job(training(**changes), model, rows, *parts)
    (folder / "job.pickle").write_bytes(pickle.dumps(made))
    return made


def start(folder: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, __file__, "--worker", str(folder)], stderr=subprocess.DEVNULL)


def differences_after_kills(folder: Path, model: Path, rows: Path, count: int) -> dict[str, Any]:
    """Kill a training `count` times at random times. Return the differences from an undisturbed one."""
    from tasks.core.files import tree_digest
    from tasks.stages.train import log_follower

    settings = {"global_batch_size": 8, "micro_batch_tokens": 300, "layout": "packed", "checkpoint_steps": 2}
    settings |= {"epochs": STEPS / 3, "lora_dropout": 0.1}
    whole, cut = (job(folder / name, model, rows, **settings) for name in ("whole", "cut"))
    start(folder / "whole").wait()
    dice, killed = random.Random(17), 0
    while killed < count:
        before = len(log_follower.read_log(cut.record))
        process = start(folder / "cut")
        while process.poll() is None and len(log_follower.read_log(cut.record)) <= max(before, 1):
            time.sleep(0.01)
        time.sleep(dice.uniform(0, 0.15))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed += 1
        print(f"killed {killed} of {count}, after step {len(log_follower.read_log(cut.record))} of {STEPS}", flush=True)
    start(folder / "cut").wait()
    expected, found = log_follower.read_log(whole.record), log_follower.read_log(cut.record)
    keys = ("step", "loss", "lr", "tokens", "targets", "grad_norm")
    return {
        "killed": killed,
        "steps_that_differ": sum(any(a[key] != b[key] for key in keys) for a, b in zip(expected, found, strict=True)),
        "same_bytes": tree_digest(whole.output) == tree_digest(cut.output),
    }


def run_tests(*words: str) -> int:
    """Run tests, including those of `make soak`, and return the number of passed ones.

    Raises:
        RuntimeError: A test fails.
    """
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--soak", "too", *words],
                          cwd=ROOT, capture_output=True, text=True)  # fmt: skip
    if done.returncode != 0:
        raise RuntimeError(done.stdout[-3000:])
    return int(done.stdout.strip().splitlines()[-1].split(" passed")[0].split()[-1])


def largest_loss_difference(folder: Path, model: Path, rows: Path) -> float:
    """Return the largest difference in the loss of a step over the invariance matrix, with one worker."""
    from tasks.stages.train import log_follower
    from tests.stages.train.test_invariance import CHANGE_THE_STEPS, FEW, REST, SETTINGS

    curves: dict[str, list[float]] = {}
    largest = 0.0

    def curve(name: str, changes: dict[str, Any]) -> list[float]:
        made = job(folder / name, model, rows, **SETTINGS, **changes)
        start(folder / name).wait()
        return [point["loss"] for point in log_follower.read_log(made.record)]

    for number, changes in enumerate([*FEW, *REST]):
        plain = {key: value for key, value in changes.items() if key in CHANGE_THE_STEPS}
        key = json.dumps(plain, sort_keys=True)
        if key not in curves:
            curves[key] = curve(f"plain-{number}", plain)
        pairs = zip(curve(f"other-{number}", changes), curves[key], strict=True)
        apart = max(abs(one - other) for one, other in pairs)
        print(f"{apart:.1e} {changes}", flush=True)
        largest = max(largest, apart)
    return largest


def line(metric: str, ours: float, goal: float, met: bool, unit: str, peer: str) -> dict[str, Any]:
    return {
        "metric": metric, "ours": ours, "peer": peer, "peer_value": None, "ratio": None, "goal": goal, "met": met,
        "unit": unit,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "training_exact.json")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker:
        as_worker(given.worker)
        return
    from benchmarks.step_time import machine
    from tests.stages.train.conftest import put_rows, rendered
    from tests.tiny_model import make_tiny_model

    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside)
        make_tiny_model(folder / "model")
        rows = put_rows(folder / "rows", rendered(folder / "model", 24))
        found = differences_after_kills(folder / "kills", folder / "model", rows, given.kills)
        largest = largest_loss_difference(folder / "matrix", folder / "model", rows)
    workers = run_tests("tests/stages/train/test_invariance.py", "-k", "then_one_then_two")
    bugs = run_tests("tests/stages/train/test_silent_bugs.py")
    same = found["steps_that_differ"] == 0 and found["same_bytes"]
    lines = [
        line(f"steps that differ after {found['killed']} kills", found["steps_that_differ"], 0, same, "steps",
             "a training that nobody killed; adapter byte for byte the same" if found["same_bytes"] else "other bytes"),
        line("largest difference of a step's loss, invariance matrix", largest, MAX_LOSS_DIFFERENCE,
             largest <= MAX_LOSS_DIFFERENCE, "",
             "one worker, one pass, one row beside the other"),
        line("changes of workers 2, 1, 2 that keep loss and rows", workers, 4, workers == 4, "trainings",
             "one worker"),
        line("planted faults that are found", bugs - 3, 15, bugs - 3 >= 15, "faults", "silence"),
    ]  # fmt: skip
    for row in lines:
        print(f"{row['metric']:<56} {row['ours']:g} {row['unit']}, goal {row['goal']:g}  "
              f"{'met' if row['met'] else 'NOT met'}")  # fmt: skip
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps([row | machine(1) for row in lines], indent=2) + "\n")


if __name__ == "__main__":
    main()
