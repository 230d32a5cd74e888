"""Trainings on a real Ray cluster of three machines, of which one is cut off and killed at random times.

    python benchmarks/training_nodes.py [--kills 10] [--seed 17] [--out benchmarks/results/training_nodes.json]

The machines are network namespaces of this one, each with a disk of its own and an S3 store between them
(tests/stages/train/three_machines.py: needs root, iproute2 and the store of HALLMARK_SHARED). The model has 330,000
parameters, in fp32, with ZeRO 2, two workers on two machines beside the head, and a checkpoint every five steps. Each
time one machine is cut off and killed at a random step, and the training continues with the other. Another machine
joins for the next training. The table has the number of trainings that ended, the steps lost beyond the last
checkpoint, and the largest difference in the loss of a step from an undisturbed training on one machine.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
STEPS = 60
SETTINGS: dict[str, Any] = {
    "epochs": 10, "checkpoint_steps": 5, "zero_stage": 2, "workers": 2, "least_workers": 1, "max_failures": 1,
    "learning_rate": 1e-3,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=17, help="of the steps at which machines are killed")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "training_nodes.json")
    given = parser.parse_args()
    from benchmarks.step_time import machine

    with tempfile.TemporaryDirectory() as aside:
        try:
            rounds = killed_trainings(Path(aside), given.kills, given.seed)
        except pytest.skip.Exception as why:
            print(why)
            raise SystemExit(3) from None
    ended = sum(each["ended"] for each in rounds)
    beyond, apart = (max(each[name] for each in rounds) for name in ("steps_lost_beyond", "loss_apart"))
    lines = [
        line("trainings that ended", ended, given.kills, ended == given.kills),
        line("steps lost beyond the last checkpoint, at most", beyond, 0, beyond == 0),
        line("largest difference of a step's loss", apart, 1e-5, apart <= 1e-5),
    ]
    for row in lines:
        print(f"{row['metric']:<48} {row['ours']:g}, goal {row['goal']:g}  {'met' if row['met'] else 'NOT met'}")
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps([row | machine(1) | {"rounds": rounds} for row in lines], indent=2) + "\n")


def line(metric: str, ours: float, goal: float, met: bool) -> dict[str, Any]:
    peer = "a training on one machine that nobody disturbed"
    return {"metric": metric, "ours": ours, "peer": peer, "peer_value": None, "ratio": None, "goal": goal, "met": met}


def killed_trainings(folder: Path, kills: int, seed: int) -> list[dict[str, Any]]:
    from tests import object_store
    from tests.stages.train import three_machines
    from tests.stages.train.conftest import put_rows, rendered
    from tests.tiny_model import make_tiny_model

    make_tiny_model(folder / "model")
    rows = put_rows(folder / "rows", rendered(folder / "model", 24))
    expected = undisturbed_losses(folder / "whole", folder / "model", rows)
    rounds, draw = [], random.Random(seed)
    (folder / "objects").mkdir()
    with object_store.served(folder / "objects") as store, three_machines.cluster(folder, store) as machines:
        machines.bucket("training")
        machines.add("m0")
        for number in range(kills):
            machines.add(f"m{number + 1}")  # there are two then, each with a worker
            told = train_and_kill(
                machines, folder / f"job-{number}", folder / "model", rows, f"m{number}", draw.randrange(3, 45)
            )
            apart = max(abs(one - other) for one, other in zip(told.pop("losses"), expected, strict=True))
            rounds.append({**told, "loss_apart": apart})
            print(f"{number + 1} of {kills}: {rounds[-1]}", flush=True)
    return rounds


def undisturbed_losses(folder: Path, model: Path, rows: Path) -> list[float]:
    from benchmarks.training_exact import job, start
    from tasks.stages.train import log_follower

    alone = {"workers": 1, "least_workers": None, "zero_stage": 0}
    made = job(folder, model, rows, **SETTINGS | alone)
    start(folder).wait()
    return [point["loss"] for point in log_follower.read_log(made.record)]


def train_and_kill(machines: Any, folder: Path, model: Path, rows: Path, victim: str, step: int) -> dict[str, Any]:
    """Run a training in which a machine is killed after that many steps."""
    from benchmarks.training_exact import job
    from tasks.stages.train import log_follower
    from tasks.stages.train.coordinator import read_stored_checkpoints
    from tests.stages.train import test_three_machines as driven

    made = job(folder, model, rows, **SETTINGS)
    began = time.monotonic()
    driver = driven.start(machines, made)
    driver.reaches(step)
    machines.cut_off(victim)
    machines.remove(victim)
    kept = max((each.step for each in read_stored_checkpoints(made.checkpoints)), default=0)
    driver.says("was lost; going on from the last checkpoint")
    failures = driver.ends()
    points = log_follower.read_log(made.record)
    resumed = sum("seconds" not in point for point in points)  # this attempt did not time the steps of a checkpoint
    losses = [point["loss"] for point in points]
    return {
        "ended": len(losses) == STEPS, "killed_after": step, "checkpoint": kept, "resumed_from": resumed,
        "steps_lost_beyond": max(0, kept - resumed), "seconds": round(time.monotonic() - began), "losses": losses,
        "failures": [each["reason"] for each in failures],
    }  # fmt: skip


if __name__ == "__main__":
    os.environ.setdefault("HALLMARK_SHARED", str(ROOT.parent / "shared"))
    main()
