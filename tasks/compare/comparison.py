"""Comparison of base models. Each one is fetched, evaluated, fine-tuned briefly, and evaluated again.

Outcomes are stored, so that an interrupted comparison can be resumed.
"""

import shutil
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.compare import metrics, model_terms, outcome, rows
from tasks.compare.base_models import ListedBaseModel
from tasks.compare.document import ComparedModel, ComparisonDocument
from tasks.compare.model_terms import ModelTerms
from tasks.compare.outcome import MODEL_NAMES_BY_STATE, ModelOutcome, ModelState
from tasks.compare.rows import ChosenRows, RowCounts
from tasks.core import progress
from tasks.core.errors import HallmarkError, InputError
from tasks.core.files import read_json, sha256_bytes, write_json
from tasks.core.formatting import format_duration
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.core.machine.locks import hold_exclusive_lock
from tasks.core.params.params import Params
from tasks.core.params.training import MAX_EPOCHS, SETTINGS_THAT_NEED_VALIDATION
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.scratch import stage_execution, workspace
from tasks.scratch.stage_execution import ProgressReceiver
from tasks.scratch.workspace import Workspace
from tasks.stages.cluster import versions
from tasks.stages.evaluate.metrics import table
from tasks.stages.evaluate.metrics_schema import Comparison
from tasks.stages.train.base import base_model
from tasks.supervise import sandbox

COMPARISONS_FOLDER = "compared"
"""Name of the folder in `.hallmark/` for stored outcomes. An outcome contains row ids and verdicts on answers, but no
texts."""
STATE_NAMES: Mapping[ModelState, str] = {"zero_shot": "zero-shot", "fine_tuned": "fine-tuned"}
STAGES_BY_STATE: Mapping[ModelState, tuple[str, ...]] = {
    "zero_shot": ("base_model", "predict@base"),
    "fine_tuned": ("tokenise", "train", "predict@candidate"),
}
"""Stages to execute for each state, in addition to the stages of earlier states."""


@dataclass(frozen=True)
class ComparisonRequest:
    candidates: list[ListedBaseModel]
    params: Params
    row_counts: RowCounts = field(default_factory=RowCounts)
    fine_tuning_steps: int | None = None
    """Number of optimizer steps for fine-tuning; None for one epoch."""
    fine_tune: bool = True

    @property
    def final_state(self) -> ModelState:
        return "fine_tuned" if self.fine_tune else "zero_shot"

    def params_for(self, candidate: ListedBaseModel, training_rows: int) -> Params:
        """Return the parameters for the stages of one base model.

        Before fine-tuning, the base model answers all rows rather than a sample. Early stopping is off, because there
        are no validation rows.

        Raises:
            InputError: Fine-tuning would take too many epochs.
        """
        params = self.params
        per_epoch = -(-training_rows // params.training.global_batch_size)
        epochs = 1.0 if self.fine_tuning_steps is None else self.fine_tuning_steps / per_epoch
        if epochs > MAX_EPOCHS:
            raise InputError(
                f"--steps {self.fine_tuning_steps}: expected at most {MAX_EPOCHS:,} "
                f"times through the {training_rows} rows, got "
                f"{epochs:,.0f}; give {MAX_EPOCHS * per_epoch:,} or fewer"
            )
        short = {"epochs": epochs, **dict.fromkeys(SETTINGS_THAT_NEED_VALIDATION)}
        return params.model_copy(
            update={
                "base_model": candidate.base_model_params,
                "training": params.training.model_copy(update=short),
                "evaluation": params.evaluation.model_copy(update={"base_rows": None}),
            }
        )


@dataclass
class ComparisonResults:
    terms: dict[str, ModelTerms] = field(default_factory=dict)
    outcomes: dict[str, ModelOutcome] = field(default_factory=dict)
    failures: dict[str, HallmarkError] = field(default_factory=dict)


def compare_base_models(
    root: Path, request: ComparisonRequest, ledger: Ledger, governance: Governance, progress_receiver: ProgressReceiver
) -> tuple[ComparisonDocument, ComparisonResults]:
    """Compare base models. If one of them fails, its error is included in the result, and the comparison continues.

    Raises:
        InputError: The parameters are not compatible with the rows, or there are too few rows.
        Refused: The rows must not be used; see `rows.choose_rows`.
        Unavailable: No run has suitable rows, or the stages need a sandbox and none is available.
    """
    if request.fine_tuning_steps is not None and any(prompt.text_window for prompt in request.params.prompts.values()):
        raise InputError(
            "--steps counts rows, and plain texts have as many as a base model's tokenizer makes of them; leave it "
            "out, and say how many texts with --train-rows"
        )
    boxed = sandbox.uses_sandbox(governance.policy.environment)
    with hold_exclusive_lock(root / ".hallmark" / f".{COMPARISONS_FOLDER}.lock", "another comparison is under way"):
        chosen = rows.choose_rows(request.params, Layout(root), ledger, governance, request.row_counts)
        at, codes, found = Workspace.open(root, COMPARISONS_FOLDER), workspace.stage_code_digests(), ComparisonResults()
        works = [
            _prepare_job(each, request, chosen, at, codes, boxed, progress_receiver) for each in request.candidates
        ]
        at.remove_unwanted_worktrees({it.key for it in works})
        for each, it in zip(request.candidates, works, strict=True):
            terms = model_terms.judge_terms(each, governance.policy.base_models, chosen.regions)
            found.terms[each.name] = terms
            if terms.licence.allowed:
                _evaluate_model(it, governance, found)
            else:
                progress_receiver.line(f"{each.name}: not opened, since {terms.licence.why}")
    return make_document(request, chosen, found), found


@dataclass(frozen=True)
class _ModelJob:
    name: str
    workspace: Workspace
    key: str
    params: Params
    chosen_rows: ChosenRows
    fine_tune: bool
    is_sandboxed: bool
    progress_receiver: ProgressReceiver

    @property
    def layout(self) -> Layout:
        return self.workspace.worktree_layout(self.key)


def _prepare_job(
    candidate: ListedBaseModel,
    request: ComparisonRequest,
    chosen: ChosenRows,
    job_workspace: Workspace,
    code_digests: Mapping[str, str],
    is_sandboxed: bool,
    progress_receiver: ProgressReceiver,
) -> _ModelJob:
    params = request.params_for(candidate, len(chosen.positions_to_train_on))
    key = outcome_key(params, chosen, code_digests, request.fine_tune)
    return _ModelJob(
        candidate.name, job_workspace, key, params, chosen, request.fine_tune, is_sandboxed, progress_receiver
    )


def outcome_key(params: Params, chosen_rows: ChosenRows, code_digests: Mapping[str, str], fine_tune: bool) -> str:
    """Return a digest of everything that determines an outcome.

    The licence is not included, because it does not affect answers.
    """
    sections = ("prompts", "training", "evaluation") if fine_tune else ("prompts", "evaluation")
    decides: dict[str, Any] = {name: params.model_dump(mode="json")[name] for name in sections}
    base = params.base_model.model_dump(mode="json", exclude={"licence"})
    decides |= {"base": base, "rows": chosen_rows.sha256, "tuned": fine_tune}
    code = [code_digests[stage] for stages in STAGES_BY_STATE.values() for stage in stages]
    return sha256_bytes(
        canonical_json({**decides, "code": code, "libraries": versions.installed_versions().libraries})
    )[:20]


def _evaluate_model(job: _ModelJob, governance: Governance, results: ComparisonResults) -> None:
    try:
        results.outcomes[job.name] = _read_stored_outcome(job) or _execute_job(job, governance)
    except HallmarkError as error:
        results.failures[job.name] = error
        job.progress_receiver.line(f"{job.name}: {error}")
        with suppress(HallmarkError):
            if (job.layout.artefacts("predict/base") / "result.json").is_file():
                results.outcomes[job.name] = outcome.read_outcome(job.layout, job.params)


def _read_stored_outcome(job: _ModelJob) -> ModelOutcome | None:
    path = job.workspace.outcome_path(job.key)
    if not path.is_file():
        return None
    try:
        stored = ModelOutcome.model_validate(read_json(path))
    except ValueError:  # written by another version
        return None
    job.progress_receiver.line(f"{job.name}: was done before")
    return stored


def _execute_job(job: _ModelJob, governance: Governance) -> ModelOutcome:
    """Execute the stages and store the outcome. Then delete the worktree with its copies of rows and weights."""
    workspace.create_worktree(job.layout, job.params, job.chosen_rows, governance)
    for state in MODEL_NAMES_BY_STATE:
        if state == "zero_shot" or job.fine_tune:
            _execute_stages(job, state)
    made = outcome.read_outcome(job.layout, job.params)
    write_json(job.workspace.outcome_path(job.key), made.model_dump(mode="json"))
    shutil.rmtree(job.layout.root)
    return made


def _execute_stages(job: _ModelJob, state: ModelState) -> None:
    began = time.monotonic()
    for stage in STAGES_BY_STATE[state]:
        what = f"{job.name}: {stage.partition('@')[0]}, {STATE_NAMES[state]}"
        job.progress_receiver.show_step(what)

        def say(line: str, what: str = what) -> None:
            if reported := progress.parse_progress_line(line):
                job.progress_receiver.show_step(what, reported.text)

        stage_execution.execute_stage(job.layout, stage, job.is_sandboxed, say)
    job.progress_receiver.line(f"{job.name}: {STATE_NAMES[state]} done, {format_duration(time.monotonic() - began)}")


def make_document(
    request: ComparisonRequest, chosen_rows: ChosenRows, results: ComparisonResults
) -> ComparisonDocument:
    """Create the comparison document, with metrics and the differences between the best base model and the others."""
    settings = request.params.evaluation
    compared = [_make_compared_model(each, request, results) for each in request.candidates]
    best = _best_model(compared, request.final_state)
    if best:
        able = {name: made for name, made in results.outcomes.items() if request.final_state in made.taken}
        others = metrics.compare_with_best(best, able, request.final_state, settings)
        compared = [_add_difference_from_best(each, request.final_state, others) for each in compared]
    asked = next(iter(results.outcomes.values()), None)
    return ComparisonDocument(
        use_case=request.params.use_case.name,
        run=chosen_rows.run_id,
        demo=chosen_rows.is_demo,
        asked=len(chosen_rows.positions_to_answer),
        trained_on=len(chosen_rows.positions_to_train_on) if request.fine_tune else 0,
        languages=dict(sorted(Counter(row.language for row in asked.rows).items())) if asked else {},
        state=request.final_state,
        best=best,
        confidence=settings.confidence,
        price_per_hour=settings.price_per_hour,
        metrics=[metric.description(settings) for metric in table.METRICS],
        bases=compared,
        machine=sandbox.describe_machine(),
    )


def _make_compared_model(
    candidate: ListedBaseModel, request: ComparisonRequest, results: ComparisonResults
) -> ComparedModel:
    terms, made = results.terms[candidate.name], results.outcomes.get(candidate.name)
    about = ComparedModel(
        name=candidate.name,
        model=base_model.describe_origin(candidate.base_model_params),
        provider=candidate.provider,
        region=candidate.region,
        terms=terms,
        allowed=terms.allowed,
        left_out=None,
    )
    failure = results.failures.get(candidate.name)
    if made is None:
        return about.model_copy(update={"left_out": str(failure) if failure else "its licence is not allowed"})
    settings, measured = (
        request.params.evaluation,
        {state: made.taken[state] for state in MODEL_NAMES_BY_STATE if state in made.taken},
    )
    return about.model_copy(
        update={
            "left_out": str(failure) if failure else None,
            "parameters": made.parameters,
            "context": made.context,
            "longest_prompt": made.longest_prompt,
            "training_gb": made.training_gb if request.fine_tune else None,
            "standings": {state: metrics.score_state(made, state, settings) for state in measured},
            "taken": measured,
            "trained": made.trained,
            "learnt": metrics.compare_with_zero_shot(made, settings) if "fine_tuned" in measured else None,
        }
    )


def _best_model(models: list[ComparedModel], state: ModelState) -> str | None:
    able = [each for each in models if each.allowed and state in each.standings]
    ranked = sorted(able, key=lambda each: (-each.quality(state).value, each.cost(state) or 0.0))
    return ranked[0].name if ranked else None


def _add_difference_from_best(
    model: ComparedModel, state: ModelState, comparisons_with_best: Mapping[str, Comparison]
) -> ComparedModel:
    if model.name not in comparisons_with_best:
        return model
    own = model.standings[state].model_copy(update={"against_best": comparisons_with_best[model.name]})
    return model.model_copy(update={"standings": {**model.standings, state: own}})
