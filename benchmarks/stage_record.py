"""Cost of a stage's sandbox and signed record, compared with `dvc repro` of the stage without them.

    python benchmarks/stage_record.py [--rounds 5] [--stages-alone | --training-alone] [--out FILE]

The stages are those of the tests' tiny use case, in turns in every round. Figures are medians over the rounds.

    bare      `dvc repro --force --single-item STAGE`: the stage as DVC starts it
    signed    the stage as a run executes it: in its sandbox, with outputs checked, signed and compared
    cached    the same stage in another run, from the stage cache
    dvc       the same stage from DVC's own run cache, which runs do not use

Then a training of about a hundred steps runs in the sandbox and as DVC starts it, in parallel, each on one processor.
They exchange the processors in the next round. The figures are the tokens per second that the stage measures, and their
ratio, one for each two rounds, with a bootstrap interval. The goals are 0.3 s that sandbox and record add to a stage,
and 0.98 of the speed.
"""

import argparse
import json
import math
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
STAGES = ("ingest", "clean", "deduplicate", "validate", "split")
GOAL, SPEED_GOAL = 0.3, 0.98
TRAINING = {"training.epochs": "30", "training.checkpoint_steps": "1000"}


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(project: Path, rounds: int) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {name: {} for name in STAGES}
    for number in range(rounds):
        for name, how, taken in one_round(project, number):
            found[name].setdefault(how, []).append(taken)
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return found


def one_round(project: Path, number: int) -> Iterator[tuple[str, str, float]]:
    from tasks.runs import stage as made
    from tasks.runs.outputs import dvc
    from tests.tiny_project import create

    signed, again, bare, by_hand = (
        create(project, f"{how}-{number}", changes={"data.seed": str(number)})
        for how in ("signed", "again", "bare", "hand")
    )
    by = made.load_worker_keys(signed.governance(), signed.ledger())
    for name in STAGES:
        outcome = made.provide_outputs(signed.layout, name, by, discard)
        if not outcome.cached:  # the seed changes the outputs of some stages only
            yield name, "signed", outcome.seconds
        yield name, "cached", seconds(partial(made.provide_outputs, again.layout, name, by, discard))
        yield name, "bare", seconds(partial(dvc.repro, bare.layout, name, discard, force=True))
        yield name, "dvc", seconds(partial(dvc.repro, by_hand.layout, name, discard))


def speeds(project: Path, rounds: int) -> dict[str, list[float]]:
    """Return the tokens per second of a training in the sandbox and without, run in parallel on one processor each.

    Other work on the machine slows down both alike. The two trainings exchange their processors in each round.
    """
    from tasks.core.files import read_json

    found: dict[str, list[float]] = {"sandbox": [], "bare": []}
    for number in range(rounds):
        runs = {how: prepare_run(project, how, number) for how in found}
        places = dict(zip(found if number % 2 else reversed(found), sorted(os.sched_getaffinity(0)), strict=False))
        with ThreadPoolExecutor(len(runs)) as both:
            list(both.map(lambda how: train(runs[how], places[how], how == "sandbox"), runs))  # noqa: B023  # ends here
        for how, run in runs.items():
            facts = read_json(run.layout.measured("train") / "facts.json")["facts"]
            found[how].append(facts["tokens_per_second"]["value"])
        print(f"trainings {number + 1} of {rounds}: {found}", file=sys.stderr)
    return found


def prepare_run(project: Path, how: str, number: int) -> Any:
    from tasks.core.graph import DATA_STAGE_NAMES
    from tests import whole_run
    from tests.tiny_project import create

    seed = {"training.seed": f"{number}{how == 'bare':d}"}  # else the second reuses the weights of the first
    run = create(project, f"train-{how}-{number}", changes=TRAINING | seed)
    for name in DATA_STAGE_NAMES:
        whole_run.bring(run, name)
    whole_run.pass_gate(run, "data")
    whole_run.bring(run, "base_model")
    return run


def train(run: Any, processor: int, supervised: bool) -> None:
    """Train on one processor. The processes that a thread starts inherit its processors."""
    from tasks.runs.outputs import dvc

    os.sched_setaffinity(0, {processor})
    dvc.repro(run.layout, "train", discard, force=True, supervised=supervised)


def discard(_: str) -> None:
    """Discard a line of a stage's output."""


def summary(found: dict[str, dict[str, list[float]]]) -> dict[str, Any]:
    medians = {name: {how: statistics.median(each) for how, each in hows.items()} for name, hows in found.items()}
    added = {name: it["signed"] - it["bare"] for name, it in medians.items()}
    return {
        "medians": medians,
        "added": added,
        "added_median": statistics.median(added.values()),
        "ratio": statistics.median(it["signed"] / it["bare"] for it in medians.values()),
        "goal": GOAL,
    }


def speed_of(trained: dict[str, list[float]]) -> dict[str, Any]:
    speed = {how: statistics.median(each) for how, each in trained.items()}
    ratios = [inside / outside for inside, outside in zip(trained["sandbox"], trained["bare"], strict=True)]
    exchanged = [math.sqrt(first * second) for first, second in zip(ratios[::2], ratios[1::2], strict=True)]
    ratio, (low, high) = statistics.median(exchanged), interval(exchanged)
    told = ", ".join(f"{how} {each:.0f}" for how, each in speed.items())
    print(
        f"tokens a second in training: {told}; ratio, the median of {len(exchanged)} double rounds: {ratio:.3f} "
        f"[{low:.3f}, {high:.3f}] (goal {SPEED_GOAL})"
    )
    return {
        "tokens_per_second": trained,
        "speed_ratio": ratio,
        "speed_ratio_interval": [low, high],
        "speed_goal": SPEED_GOAL,
    }


def interval(values: list[float], draws: int = 10_000) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the median."""
    drawn = random.Random(0)
    medians = sorted(statistics.median(drawn.choices(values, k=len(values))) for _ in range(draws))
    return medians[round(0.025 * draws)], medians[round(0.975 * draws) - 1]


def table(result: dict[str, Any]) -> str:
    lines = [f"{'stage':<14}{'bare':>8}{'signed':>8}{'added':>8}{'cached':>8}{'dvc':>8}   seconds"]
    for name, it in result["medians"].items():
        added = result["added"][name]
        lines.append(f"{name:<14}{it['bare']:8.2f}{it['signed']:8.2f}{added:8.2f}{it['cached']:8.2f}{it['dvc']:8.2f}")
    lines.append(
        f"added to a stage: {result['added_median']:.2f} s at the median (goal {GOAL}), {result['ratio']:.2f} times"
    )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument("--stages-alone", action="store_true", help="Leave the training out.")
    parts.add_argument("--training-alone", action="store_true", help="Leave the other stages out.")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "stage_record.json")
    given = parser.parse_args()
    from tests.tiny_project import hallmark, make_project

    with tempfile.TemporaryDirectory() as place:
        project = make_project(Path(place) / "project", rows=300)
        hallmark(project, "init")
        trained = {} if given.stages_alone else speeds(project, given.rounds + given.rounds % 2)
        result = {} if given.training_alone else summary(measure(project, given.rounds))
    if result:
        print(table(result))
    if trained:
        result |= speed_of(trained)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
