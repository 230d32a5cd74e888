"""SIGKILL while people decide and the runner promotes, and whether anything is lost, doubled or half done afterwards.

    python benchmarks/kills.py [--kills 200] [--seed 1] [--quick] [--out benchmarks/results/kills.json]

Each deed is a process of the code that runs there otherwise: commands that people type, a gate closed and a candidate
promoted as the flow does it, what a killed promotion left finished or undone. It is killed at a random moment of its
undisturbed length, and once before every file that gets or loses a name, before every commit of a database (the
ledger's and MLflow's), and when all is done. Then it is done again, in half of the cases after the runner's monitor,
and looked at: what was to be recorded is there once; what the killed process had called done is there; the ledger
verifies under its heads; one release is champion, the one that the newest signed statement names, admitted byte for
byte and shown by MLflow; every release verifies; no half of a file stands under its name. Exits with 1 where one of
that is not so.

`midway` counts the kills that left some of what a deed changes, and not all. `--quick` kills each deed twice or so, and
before no step. Takes a minute then, fifteen without.
"""

import argparse
import importlib
import json
import os
import platform
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
for name in [name for name in os.environ if name.startswith(("HALLMARK_", "MLFLOW_"))]:
    del os.environ[name]

from tests.forking import FOR_PROMOTION  # noqa: E402
from tests.kills import project, trial  # noqa: E402
from tests.kills.deeds import DEEDS, Deed  # noqa: E402
from tests.kills.trial import Outcome  # noqa: E402

MEMORY = Path("/dev/shm")
PROMOTION = 0.25
"""Share of the kills that hit the promotion, which takes longest; the other deeds share the rest evenly."""
TRIES = 20
"""Draws for one kill: where the machine is busy with less than before, a deed may be over sooner than it was drawn."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, help="at random moments; those before steps come on top")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="two kills a deed, none before steps")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "kills.json")
    args = parser.parse_args()
    kills, began = args.kills or (2 * len(DEEDS) if args.quick else 200), time.perf_counter()
    # A kill loses nothing that was written, unlike a power cut: what is flushed may as well go to memory.
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        states, copies = Path(name) / "states", Path(name) / "copies"
        copies.mkdir()
        for module in FOR_PROMOTION:  # in seconds, here and not in each process
            importlib.import_module(module)
        trial.answer(copies, lambda: project.make(states))
        warm_up(states, copies)
        at_random = list(random_kills(states, copies, kills, random.Random(args.seed), 1 if args.quick else 3))
        at_steps = [] if args.quick else list(step_kills(states, copies, random.Random(args.seed)))
    lines = summary("at random moments", at_random) + summary("before each step", at_steps)
    print(f"{'':<76} kills midway  lost doubled half-done")
    for line in lines:
        print("{metric:<76} {kills:>5} {midway:>6} {lost:>5} {doubled:>7} {half_done:>9}".format(**line))
    print(f"{time.perf_counter() - began:.0f} s, seed {args.seed}")
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps([line | machine | {"seed": args.seed} for line in lines], indent=2) + "\n")
    return int(not all(line["met"] for line in lines))


def warm_up(states: Path, copies: Path) -> None:
    """Import here what the deeds import, so that processes forked from this one have it, those of the next deed too."""
    for deed in DEEDS:

        def loaded(deed: Deed = deed) -> list[str]:
            with suppress(SystemExit):
                deed.act()
            return sorted(sys.modules)

        with trial.copied(states / deed.state, copies) as folder:
            wanted = set(trial.answer(folder, loaded))
        for module in sorted(wanted - set(sys.modules)):
            with suppress(ImportError):  # some name themselves otherwise than they are imported
                importlib.import_module(module)


def random_kills(states: Path, copies: Path, kills: int, rng: random.Random, times: int) -> Iterator[Outcome]:
    """Each deed killed at moments drawn evenly over its undisturbed length, which is measured so many times."""
    shares = share(kills)
    for deed in DEEDS:
        ends = trial.undisturbed(deed, states, copies, times)
        for _ in range(shares[deed.name]):
            tried = (trial.kill(deed, states, copies, ends, rng, rng.uniform(0, ends.seconds)) for _ in range(TRIES))
            yield print_bad(next(outcome for outcome in tried if outcome))


def step_kills(states: Path, copies: Path, rng: random.Random) -> Iterator[Outcome]:
    for deed in DEEDS:
        ends = trial.undisturbed(deed, states, copies, times=1)
        for number in range(len(trial.steps(deed, states, copies)) + 1):
            outcome = trial.kill(deed, states, copies, ends, rng, step=number)
            assert outcome is not None, "it always ends by being killed"
            yield print_bad(outcome)


def share(kills: int) -> dict[str, int]:
    """How many kills hit which deed."""
    first, *others = [deed.name for deed in DEEDS]
    given = Counter({first: round(kills * PROMOTION)})
    given.update(others[number % len(others)] for number in range(kills - given[first]))
    return given


def print_bad(outcome: Outcome) -> Outcome:
    """The outcome, printed where it is a bad one."""
    for what in ("lost", "doubled", "half"):
        for text in getattr(outcome, what):
            print(f"{what}: {outcome.deed}, killed {outcome.at}: {text}", file=sys.stderr)
    return outcome


def summary(when: str, outcomes: list[Outcome]) -> list[dict[str, Any]]:
    """A row for each deed, and their sum."""
    names = list(dict.fromkeys(outcome.deed for outcome in outcomes))
    groups = [(f"{name}, killed {when}", [o for o in outcomes if o.deed == name]) for name in names]
    groups += [(f"kills {when}, of {len(outcomes)}: lost, doubled or half-done", outcomes)] * bool(outcomes)
    return [row(metric, group) for metric, group in groups]


def row(metric: str, outcomes: list[Outcome]) -> dict[str, Any]:
    bad = sum(bool(o.lost or o.doubled or o.half) for o in outcomes)
    return {
        "metric": metric, "ours": bad, "peer": None, "peer_value": None, "ratio": None, "goal": 0, "met": bad == 0,
        "unit": "kills", "kills": len(outcomes), "midway": sum(o.midway for o in outcomes),
        "lost": sum(bool(o.lost) for o in outcomes), "doubled": sum(bool(o.doubled) for o in outcomes),
        "half_done": sum(bool(o.half) for o in outcomes),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
