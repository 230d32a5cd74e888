"""All trials, one after the other. Finished ones are kept, so that an interrupted sweep goes on where it was.

Optuna says which values a trial takes, and which trials are stopped early: asynchronous successive halving (Li et al.,
"A System for Massively Parallel Hyperparameter Tuning", MLSys 2020), by the looks at the validation rows.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.config import Frozen
from tasks.core.errors import HallmarkError
from tasks.core.files import canonical_json, read_json, sha256_bytes, write_json
from tasks.core.layout import Layout
from tasks.core.locks import turn
from tasks.core.params.params import Params
from tasks.core.progress import duration
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.scratch import place, work
from tasks.scratch.place import Place
from tasks.scratch.work import Watcher
from tasks.stages.train import versions
from tasks.supervise import box
from tasks.sweep import rows, space, tracked, trial
from tasks.sweep.space import Axis
from tasks.sweep.trial import Outcome

FOLDER = "swept"
"""Below `.hallmark/`."""
BEFORE = ("base_model", "tokenise")
"""Stages that all trials have in common."""
TRIALS = 10
"""Where a parameter has a range and nobody says how many."""
FIRST, THIRD = 2, 3
"""The look at which trials are first compared, then after three times as many, and so on: a trial goes on where it is
among the best third of those that came so far."""


@dataclass(frozen=True)
class Wish:
    axes: Sequence[Axis]
    params_with: Callable[[Mapping[str, str]], Params]
    """The parameters with some changed. Raises InputError for what cannot be."""
    trials: int | None = None
    halving: bool = True
    """Stop trials early that are not among the best third of those that came as far."""


class Trial(Frozen):
    number: int
    changes: dict[str, str]
    outcome: Outcome | None
    failure: str | None = None


class Document(Frozen):
    use_case: str
    run: str
    """Whose rows they are."""
    demo: bool
    trials: list[Trial]
    """In the order in which they were made."""

    @property
    def ranked(self) -> list[Trial]:
        """The lowest validation loss first; those that were stopped behind those that were not, failures last."""
        return sorted(self.trials, key=_rank)

    @property
    def best(self) -> Trial | None:
        """Of those that came to their end."""
        first = self.ranked[0]
        return first if first.outcome and not first.outcome.stopped else None


def _rank(it: Trial) -> tuple[int, float]:
    if it.outcome is None:
        return 2, 0.0
    return int(it.outcome.stopped), it.outcome.best["validation_loss"]


def sweep(root: Path, wish: Wish, ledger: Ledger, governance: Governance, watcher: Watcher) -> Document:
    """Raises InputError for combinations that cannot be, before anything is trained, and as `rows.choose`."""
    import optuna

    params, *_ = [wish.params_with(corner) for corner in space.corners(wish.axes)]
    governance.policy.base_models.require(params.base_model.licence)
    boxed = box.wanted(governance.policy.environment)
    with turn(root / ".hallmark" / f".{FOLDER}.lock", "another sweep is under way"):
        chosen = rows.choose(params, Layout(root), ledger, governance)
        house = _House(Place.of(root, FOLDER), chosen, boxed, watcher, Layout(root), wish, params.use_case.name)
        house.prepare(params, governance)
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        seed = params.training.seed % 2**32
        study = _study(wish.halving, seed)
        count, made = _enqueue(study, wish, seed), list[Trial]()
        for number in range(1, count + 1):
            made.append(house.made(study, number, count))
            if made[-1].failure:
                study = _without_failures(study, wish.halving, seed + number)
    return Document(use_case=params.use_case.name, run=chosen.run, demo=chosen.demo, trials=made)


def _study(halving: bool, seed: int) -> Any:
    import optuna

    halves = optuna.pruners.SuccessiveHalvingPruner(min_resource=FIRST, reduction_factor=THIRD)
    pruner = halves if halving else optuna.pruners.NopPruner()
    return optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), pruner=pruner)


def _without_failures(study: Any, halving: bool, seed: int) -> Any:
    """A study that knows the other trials alone: Optuna would go on comparing with what a failed one had reached."""
    fresh = _study(halving, seed)
    fresh.add_trials([each for each in study.get_trials() if each.state != _state("FAIL")])
    return fresh


def _enqueue(study: Any, wish: Wish, seed: int) -> int:
    """How many trials there are. Without ranges they are known beforehand: all combinations, or some of them."""
    if any(not axis.values for axis in wish.axes):
        return wish.trials or TRIALS
    corners = list(space.corners(wish.axes))
    if wish.trials is not None and wish.trials < len(corners):
        corners = random.Random(seed).sample(corners, wish.trials)
    for corner in corners:
        study.enqueue_trial(dict(corner))
    return len(corners)


@dataclass(frozen=True)
class _House:
    place: Place
    rows: rows.Rows
    boxed: bool
    watcher: Watcher
    checkout: Layout
    wish: Wish
    use_case: str

    @property
    def layout(self) -> Layout:
        return self.place.worktree("trials")

    def prepare(self, params: Params, governance: Governance) -> None:
        """Model and tokens, for all trials; made anew where rows, model, prompts or code are others."""
        given = {name: params.model_dump(mode="json")[name] for name in ("base_model", "prompts")}
        codes = place.codes()
        code = {"code": [codes[stage] for stage in (*BEFORE, "train")], "libraries": versions.of_here().libraries}
        common = _digest({**given, **code, "rows": self.rows.digests()})
        mark = self.layout.root / "common"
        self.place.clear([self.layout.root.name] if mark.is_file() and mark.read_text() == common else [])
        place.make(self.layout, params, self.rows, governance)
        mark.write_text(common)
        for stage in BEFORE:
            self.watcher.working(stage)
            work.bring(self.layout, stage, self.boxed, lambda _: None)

    def made(self, study: Any, number: int, count: int) -> Trial:
        """The next trial that the study asks for."""
        asked = study.ask()
        changes = {axis.key: axis.suggest(asked) for axis in self.wish.axes}
        what = f"trial {number} of {count}: " + ", ".join(
            f"{key.removeprefix(space.SECTION)} {value}" for key, value in changes.items()
        )
        began = time.monotonic()
        try:
            outcome, fresh = self._outcome(asked, changes, what)
        except HallmarkError as error:
            study.tell(asked, state=_state("FAIL"))
            self.watcher.line(f"{what}: {error}")
            return Trial(number=number, changes=changes, outcome=None, failure=str(error))
        study.tell(asked, None if outcome.stopped else outcome.best["validation_loss"], state=_state_of(outcome))
        if fresh:
            tracked.track(self.checkout, self.use_case, self.rows.run, number, changes, outcome)
        how = "stopped early" if outcome.stopped else "done" if fresh else "was done before"
        took = f", {duration(time.monotonic() - began)}" if fresh else ""
        self.watcher.line(f"{what}: validation loss {outcome.best['validation_loss']:.4f}, {how}{took}")
        return Trial(number=number, changes=changes, outcome=outcome)

    def _outcome(self, asked: Any, changes: Mapping[str, str], what: str) -> tuple[Outcome, bool]:
        """And whether it was made now. Raises what the training raised."""
        params, step = self.wish.params_with(changes), 0

        def looked(loss: float) -> bool:
            nonlocal step
            step += 1
            asked.report(loss, step)
            return bool(asked.should_prune())

        common = (self.layout.root / "common").read_text()
        kept = self.place.outcome(_digest({"training": params.training.model_dump(mode="json"), "common": common}))
        if outcome := _kept(kept):
            for loss in outcome.looks:
                looked(loss)
            return outcome, False
        self.watcher.working(what)
        outcome = trial.run(self.layout, params, self.boxed, lambda how: self.watcher.working(what, how), looked)
        if not outcome.stopped:  # that depends on what the others were
            write_json(kept, outcome.model_dump(mode="json"))
        return outcome, True


def _kept(path: Path) -> Outcome | None:
    try:
        return Outcome.model_validate(read_json(path)) if path.is_file() else None
    except ValueError:  # of another version
        return None


def _digest(value: Any) -> str:
    return sha256_bytes(canonical_json(value))[:20]


def _state(name: str) -> Any:
    from optuna.trial import TrialState

    return TrialState[name]


def _state_of(outcome: Outcome) -> Any:
    return _state("PRUNED" if outcome.stopped else "COMPLETE")
