"""SIGKILL while people decide and the runner promotes, and whether anything is lost, doubled or half done afterwards.

    python -m tests.kills [--kills 200] [--seed 1] [--sample] [--out FILE]

Each deed is a process of the code that runs there otherwise: commands that people type, a gate closed and a candidate
promoted as the flow does it, what a killed promotion left finished or undone. It is killed at a random moment of its
undisturbed length, and once before every file that gets or loses a name, before every commit of a database (the
ledger's and MLflow's), and when all is done. Then it is done again, in half of the cases after the runner's monitor,
and looked at: what was to be recorded is there once; what the killed process had called done is there; the ledger
verifies under its heads; one release is champion, the one that the newest signed statement names, admitted byte for
byte and shown by MLflow; every release verifies; no half of a file stands under its name. Exits with 1 where one of
that is not so.

`midway` counts the kills that left some of what a deed changes, and not all. Takes fifteen minutes. `--sample` kills
a few deeds once each, before a step in their middle: what `make test` runs.
"""

import argparse
import importlib
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

for name in [name for name in os.environ if name.startswith(("HALLMARK_", "MLFLOW_"))]:
    del os.environ[name]

from tests.forking import FOR_PROMOTION  # noqa: E402
from tests.kills import project, trial  # noqa: E402
from tests.kills.deeds import DEEDS, Deed  # noqa: E402
from tests.kills.trial import Ends, Outcome  # noqa: E402

MEMORY = Path("/dev/shm")
PROMOTION = 0.25
"""Share of the kills that hit the promotion, which takes longest; the other deeds share the rest evenly."""
SAMPLE = ("closing of a gate by the flow", "… --break-glass", "hallmark releases admit")
"""Deeds that tests/registry/test_crash.py does not kill: one closes a gate, one rolls back, one serves."""
TRIES = 20
"""Draws of a moment for one kill. On a machine that is less busy than before, a deed may be over before that moment."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="at random moments; those before steps come on top")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sample", action="store_true", help="a few deeds once each, and none at a random moment")
    parser.add_argument("--out", type=Path, help="write the table there too, in JSON")
    args = parser.parse_args()
    deeds, began = [deed for deed in DEEDS if deed.name in SAMPLE or not args.sample], time.perf_counter()
    # A kill loses nothing that was written, unlike a power cut: what is flushed may as well go to memory.
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        states, copies = Path(name) / "states", Path(name) / "copies"
        copies.mkdir()
        for module in FOR_PROMOTION:  # in seconds, here and not in each process
            importlib.import_module(module)
        trial.answer(copies, lambda: project.make(states, {deed.state for deed in deeds}))
        warm_up(deeds, states, copies)
        rng = random.Random(args.seed)
        at_random = [] if args.sample else list(random_kills(states, copies, args.kills, rng))
        at_steps = list(middle_kills(deeds, states, copies, rng) if args.sample else step_kills(states, copies, rng))
    lines = summary("at random moments", at_random) + summary("before each step", at_steps)
    print(f"{'':<76} kills midway  lost doubled half-done")
    for line in lines:
        print("{metric:<76} {kills:>5} {midway:>6} {lost:>5} {doubled:>7} {half_done:>9}".format(**line))
    print(f"{time.perf_counter() - began:.0f} s, seed {args.seed}")
    if args.out:
        args.out.write_text(json.dumps(lines, indent=2) + "\n")
    return int(not all(line["met"] for line in lines))


def warm_up(deeds: list[Deed], states: Path, copies: Path) -> None:
    """Import the modules of all deeds here, so that every process forked from this one has them."""
    for deed in deeds:

        def loaded(deed: Deed = deed) -> list[str]:
            with suppress(SystemExit):
                deed.act()
            return sorted(sys.modules)

        with trial.copied(states / deed.state, copies) as folder:
            wanted = set(trial.answer(folder, loaded))
        for module in sorted(wanted - set(sys.modules)):
            with suppress(ImportError):  # some name themselves otherwise than they are imported
                importlib.import_module(module)


def random_kills(states: Path, copies: Path, kills: int, rng: random.Random) -> Iterator[Outcome]:
    """Each deed killed at moments drawn evenly over its undisturbed length."""
    shares = share(kills)
    for deed in DEEDS:
        ends = trial.undisturbed(deed, states, copies, times=3)
        for _ in range(shares[deed.name]):
            tried = (trial.kill(deed, states, copies, ends, rng, rng.uniform(0, ends.seconds)) for _ in range(TRIES))
            yield print_bad(next(outcome for outcome in tried if outcome))


def step_kills(states: Path, copies: Path, rng: random.Random) -> Iterator[Outcome]:
    """Each deed killed before each of its steps and at its end."""
    for deed in DEEDS:
        ends = trial.undisturbed(deed, states, copies, times=1)
        for number in range(len(trial.steps(deed, states, copies)) + 1):
            yield before_step(number, deed, states, copies, ends, rng)


def middle_kills(deeds: list[Deed], states: Path, copies: Path, rng: random.Random) -> Iterator[Outcome]:
    """Each of the deeds killed before the step in its middle."""
    for deed in deeds:
        ends = Ends(seconds=0, before=[], after=[])  # it is killed midway for sure
        yield before_step(len(trial.steps(deed, states, copies)) // 2, deed, states, copies, ends, rng)


def before_step(number: int, deed: Deed, states: Path, copies: Path, ends: Ends, rng: random.Random) -> Outcome:
    outcome = trial.kill(deed, states, copies, ends, rng, step=number)
    assert outcome is not None, "it always ends by being killed"
    return print_bad(outcome)


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
    """Return a row for each deed, and their sum."""
    names = list(dict.fromkeys(outcome.deed for outcome in outcomes))
    groups = [(f"{name}, killed {when}", [o for o in outcomes if o.deed == name]) for name in names]
    groups += [(f"kills {when}, of {len(outcomes)}: lost, doubled or half-done", outcomes)] * bool(outcomes)
    return [row(metric, group) for metric, group in groups]


def row(metric: str, outcomes: list[Outcome]) -> dict[str, Any]:
    bad = sum(bool(o.lost or o.doubled or o.half) for o in outcomes)
    return {
        "metric": metric, "met": bad == 0, "kills": len(outcomes), "midway": sum(o.midway for o in outcomes),
        "lost": sum(bool(o.lost) for o in outcomes), "doubled": sum(bool(o.doubled) for o in outcomes),
        "half_done": sum(bool(o.half) for o in outcomes),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
