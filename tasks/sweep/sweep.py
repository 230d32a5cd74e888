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
from tasks.core.machine.locks import hold_exclusive_lock
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
from tasks.sweep.search_space import SearchAxis
from tasks.sweep.trial import TrialOutcome

SWEEPS_FOLDER = "swept"
SHARED_STAGES = ("base_model", "tokenise")


@dataclass(frozen=True)
class SweepRequest:
    axes: Sequence[SearchAxis]
    build_params: Callable[[Mapping[str, str]], Params]
    """Function that returns the parameters with the given changes, or raises InputError if they are not valid."""
    max_trials: int | None = None
    stops_early: bool = True
    """Whether to stop a trial early if others have a lower validation loss (`study.py`)."""


def run_sweep(
    root: Path, request: SweepRequest, ledger: Ledger, governance: Governance, progress_receiver: ProgressReceiver
) -> SweepDocument:
    """Execute the trials of a sweep. Every combination of parameters is validated before the first trial.

    Raises:
        InputError: A combination of parameters is not valid, or the rows do not match them.
        Refused: The base model is not allowed, or the rows cannot be used; see `rows.choose_rows`.
        Unavailable: No run has rows, or stages need a sandbox and this machine has none.
    """
    params, *_ = [request.build_params(corner) for corner in search_space.value_combinations(request.axes)]
    governance.policy.base_models.require_allowed(params.base_model, root)
    boxed = sandbox.uses_sandbox(governance.policy.environment)
    with hold_exclusive_lock(root / ".hallmark" / f".{SWEEPS_FOLDER}.lock", "another sweep is under way"):
        chosen = rows.choose_rows(params, Layout(root), ledger, governance)
        shared = _Sweep(
            Workspace.open(root, SWEEPS_FOLDER),
            chosen,
            boxed,
            progress_receiver,
            Layout(root),
            request,
            params.use_case.name,
        )
        shared.prepare_shared_stages(params, governance)
        seed = params.training.seed % 2**32
        asking = study.new_study(request.stops_early, seed)
        count, made = study.enqueue_trials(asking, request.axes, request.max_trials, seed), list[Trial]()
        for number in range(1, count + 1):
            made.append(shared.execute_trial(asking, number, count))
            if made[-1].failure:
                asking = study.study_without_failures(asking, request.stops_early, seed + number)
    return SweepDocument(
        use_case=params.use_case.name,
        run=chosen.run,
        demo=chosen.is_demo,
        made_with=dict(chosen.made_with),
        trials=made,
    )


@dataclass(frozen=True)
class _Sweep:
    workspace: Workspace
    rows: rows.SweepRows
    needs_sandbox: bool
    progress_receiver: ProgressReceiver
    checkout: Layout
    request: SweepRequest
    use_case: str

    @property
    def layout(self) -> Layout:
        return self.workspace.worktree_layout("trials")

    def prepare_shared_stages(self, params: Params, governance: Governance) -> None:
        """Fetch the base model and tokenise the rows, once for all trials.

        Both are repeated only if their inputs have changed.
        """
        given = {name: params.model_dump(mode="json")[name] for name in ("base_model", "prompts")}
        codes = workspace.stage_code_digests()
        code = {
            "code": [codes[stage] for stage in (*SHARED_STAGES, "train")],
            "libraries": versions.installed_versions().libraries,
        }
        common = _short_digest({**given, **code, "rows": self.rows.digests()})
        mark = self.layout.root / "common"
        self.workspace.remove_unwanted_worktrees(
            [self.layout.root.name] if mark.is_file() and mark.read_text() == common else []
        )
        workspace.create_worktree(self.layout, params, self.rows, governance)
        mark.write_text(common)
        for stage in SHARED_STAGES:
            self.progress_receiver.show_step(stage)
            stage_execution.execute_stage(self.layout, stage, self.needs_sandbox, lambda _: None)

    def execute_trial(self, optuna_study: Any, number: int, trial_count: int) -> Trial:
        asked = optuna_study.ask()
        changes = {axis.key: axis.suggest_value(asked) for axis in self.request.axes}
        what = f"trial {number} of {trial_count}: " + ", ".join(
            f"{key.removeprefix(search_space.PARAMS_SECTION)} {value}" for key, value in changes.items()
        )
        began = time.monotonic()
        try:
            outcome, fresh = self._run_trial(asked, changes, what)
        except HallmarkError as error:
            optuna_study.tell(asked, state=study.optuna_trial_state("FAIL"))
            self.progress_receiver.line(f"{what}: {error}")
            return Trial(number=number, changes=changes, outcome=None, failure=str(error))
        loss = outcome.best_point[early_stopping.VALIDATION_LOSS_KEY]
        ended = study.optuna_trial_state("PRUNED" if outcome.stopped else "COMPLETE")
        optuna_study.tell(asked, None if outcome.stopped else loss, state=ended)
        if fresh and (
            why := mlflow_trials.log_trial(self.checkout, self.use_case, self.rows.run, number, changes, outcome)
        ):
            self.progress_receiver.line(why)
        how = "stopped early" if outcome.stopped else "done" if fresh else "was done before"
        took = f", {format_duration(time.monotonic() - began)}" if fresh else ""
        self.progress_receiver.line(f"{what}: validation loss {loss:.4f}, {how}{took}")
        return Trial(number=number, changes=changes, outcome=outcome)

    def _run_trial(self, optuna_trial: Any, changes: Mapping[str, str], trial_text: str) -> tuple[TrialOutcome, bool]:
        params, step = self.request.build_params(changes), 0

        def report_loss(loss: float) -> bool:
            nonlocal step
            step += 1
            optuna_trial.report(loss, step)
            return bool(optuna_trial.should_prune())

        common = (self.layout.root / "common").read_text()
        stored = self.workspace.outcome_path(
            _short_digest({"training": params.training.model_dump(mode="json"), "common": common})
        )
        if outcome := _stored_outcome(stored):
            for loss in outcome.validation_losses:
                report_loss(loss)
            return outcome, False
        self.progress_receiver.show_step(trial_text)
        outcome = trial.run_training(
            self.layout,
            params,
            self.needs_sandbox,
            lambda how: self.progress_receiver.show_step(trial_text, how),
            report_loss,
        )
        if not outcome.stopped:  # whether a trial is stopped depends on the other trials
            write_json(stored, outcome.model_dump(mode="json"))
        return outcome, True


def _stored_outcome(path: Path) -> TrialOutcome | None:
    try:
        return TrialOutcome.model_validate(read_json(path)) if path.is_file() else None
    except ValueError:  # written by another version
        return None


def _short_digest(value: Any) -> str:
    return sha256_bytes(canonical_json(value))[:20]
