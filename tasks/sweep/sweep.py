"""Trials of a sweep, one after the other. Outcomes are stored, so that an interrupted sweep can be resumed."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.errors import HallmarkError
from tasks.core.files import read_json, sha256_bytes, write_json
from tasks.core.formatting import format_duration
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.core.machine.locks import hold
from tasks.core.params.params import Params
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.scratch import stage_execution, workspace
from tasks.scratch.stage_execution import ProgressReceiver
from tasks.scratch.workspace import Workspace
from tasks.stages.cluster import versions
from tasks.stages.train import early_stopping
from tasks.supervise import sandbox
from tasks.sweep import mlflow_trials, rows, search_space, study, trial
from tasks.sweep.document import SweepDocument, Trial
from tasks.sweep.search_space import Axis
from tasks.sweep.trial import TrialOutcome

SWEEPS_FOLDER = "swept"
SHARED_STAGES = ("base_model", "tokenise")


@dataclass(frozen=True)
class SweepRequest:
    axes: Sequence[Axis]
    params_with: Callable[[Mapping[str, str]], Params]
    """Function that returns the parameters with the given changes, or raises InputError if they are not valid."""
    trials: int | None = None
    halving: bool = True
    """Whether to stop a trial early if others have a lower validation loss (`study.py`)."""


def sweep(
    root: Path, wish: SweepRequest, ledger: Ledger, governance: Governance, watcher: ProgressReceiver
) -> SweepDocument:
    """Execute the trials. Every combination of parameters is validated before the first training.

    Raises:
        InputError: A combination of parameters is not valid, or the rows do not match them.
        Refused: The base model is not allowed, or the rows cannot be used; see `rows.choose_rows`.
        Unavailable: No run has rows, or stages need a sandbox and this machine has none.
    """
    params, *_ = [wish.params_with(corner) for corner in search_space.combinations(wish.axes)]
    governance.policy.base_models.require(params.base_model, root)
    boxed = sandbox.is_used(governance.policy.environment)
    with hold(root / ".hallmark" / f".{SWEEPS_FOLDER}.lock", "another sweep is under way"):
        chosen = rows.choose_rows(params, Layout(root), ledger, governance)
        shared = _Sweep(
            Workspace.open(root, SWEEPS_FOLDER), chosen, boxed, watcher, Layout(root), wish, params.use_case.name
        )
        shared.prepare(params, governance)
        seed = params.training.seed % 2**32
        asking = study.new_study(wish.halving, seed)
        count, made = study.enqueue_trials(asking, wish.axes, wish.trials, seed), list[Trial]()
        for number in range(1, count + 1):
            made.append(shared.execute_trial(asking, number, count))
            if made[-1].failure:
                asking = study.study_without_failures(asking, wish.halving, seed + number)
    return SweepDocument(
        use_case=params.use_case.name,
        run=chosen.run,
        demo=chosen.demo,
        made_with=dict(chosen.made_with),
        trials=made,
    )


@dataclass(frozen=True)
class _Sweep:
    place: Workspace
    rows: rows.SweepRows
    boxed: bool
    watcher: ProgressReceiver
    checkout: Layout
    wish: SweepRequest
    use_case: str

    @property
    def layout(self) -> Layout:
        return self.place.worktree("trials")

    def prepare(self, params: Params, governance: Governance) -> None:
        """Fetch the base model and tokenise the rows for all trials, if their inputs have changed."""
        given = {name: params.model_dump(mode="json")[name] for name in ("base_model", "prompts")}
        codes = workspace.stage_code_digests()
        code = {
            "code": [codes[stage] for stage in (*SHARED_STAGES, "train")],
            "libraries": versions.installed_versions().libraries,
        }
        common = _digest({**given, **code, "rows": self.rows.digests()})
        mark = self.layout.root / "common"
        self.place.remove_unwanted([self.layout.root.name] if mark.is_file() and mark.read_text() == common else [])
        workspace.make_worktree(self.layout, params, self.rows, governance)
        mark.write_text(common)
        for stage in SHARED_STAGES:
            self.watcher.working(stage)
            stage_execution.execute_stage(self.layout, stage, self.boxed, lambda _: None)

    def execute_trial(self, asking: Any, number: int, count: int) -> Trial:
        asked = asking.ask()
        changes = {axis.key: axis.suggest(asked) for axis in self.wish.axes}
        what = f"trial {number} of {count}: " + ", ".join(
            f"{key.removeprefix(search_space.PARAMS_SECTION)} {value}" for key, value in changes.items()
        )
        began = time.monotonic()
        try:
            outcome, fresh = self._outcome(asked, changes, what)
        except HallmarkError as error:
            asking.tell(asked, state=study.trial_state("FAIL"))
            self.watcher.line(f"{what}: {error}")
            return Trial(number=number, changes=changes, outcome=None, failure=str(error))
        loss = outcome.best[early_stopping.VALIDATION_LOSS]
        ended = study.trial_state("PRUNED" if outcome.stopped else "COMPLETE")
        asking.tell(asked, None if outcome.stopped else loss, state=ended)
        if fresh and (
            why := mlflow_trials.log_trial(self.checkout, self.use_case, self.rows.run, number, changes, outcome)
        ):
            self.watcher.line(why)
        how = "stopped early" if outcome.stopped else "done" if fresh else "was done before"
        took = f", {format_duration(time.monotonic() - began)}" if fresh else ""
        self.watcher.line(f"{what}: validation loss {loss:.4f}, {how}{took}")
        return Trial(number=number, changes=changes, outcome=outcome)

    def _outcome(self, asked: Any, changes: Mapping[str, str], what: str) -> tuple[TrialOutcome, bool]:
        params, step = self.wish.params_with(changes), 0

        def looked(loss: float) -> bool:
            nonlocal step
            step += 1
            asked.report(loss, step)
            return bool(asked.should_prune())

        common = (self.layout.root / "common").read_text()
        stored = self.place.outcome(_digest({"training": params.training.model_dump(mode="json"), "common": common}))
        if outcome := _stored_outcome(stored):
            for loss in outcome.validation_losses:
                looked(loss)
            return outcome, False
        self.watcher.working(what)
        outcome = trial.run_training(
            self.layout, params, self.boxed, lambda how: self.watcher.working(what, how), looked
        )
        if not outcome.stopped:  # whether a trial is stopped depends on the other trials
            write_json(stored, outcome.model_dump(mode="json"))
        return outcome, True


def _stored_outcome(path: Path) -> TrialOutcome | None:
    try:
        return TrialOutcome.model_validate(read_json(path)) if path.is_file() else None
    except ValueError:  # written by another version
        return None


def _digest(value: Any) -> str:
    return sha256_bytes(canonical_json(value))[:20]
