"""Comparison of base models: each is fetched, evaluated as it is, fine-tuned briefly, and evaluated again.

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
from tasks.compare.outcome import CONTENDERS, ModelOutcome, State
from tasks.compare.rows import ChosenRows, RowCounts
from tasks.core import progress
from tasks.core.errors import HallmarkError, InputError
from tasks.core.files import read_json, sha256_bytes, write_json
from tasks.core.formatting import format_duration
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.core.machine.locks import hold
from tasks.core.params.params import Params
from tasks.core.params.training import MAX_EPOCHS, VALIDATION_SETTINGS
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
"""Name of the folder in `.hallmark/` with stored outcomes. An outcome has row ids and verdicts on answers, but no
texts."""
STATE_NAMES: Mapping[State, str] = {"zero_shot": "zero-shot", "fine_tuned": "fine-tuned"}
STAGES_BY_STATE: Mapping[State, tuple[str, ...]] = {
    "zero_shot": ("base_model", "predict@base"),
    "fine_tuned": ("tokenise", "train", "predict@candidate"),
}
"""Stages to execute for each state, in addition to the stages of earlier states."""


@dataclass(frozen=True)
class ComparisonRequest:
    candidates: list[ListedBaseModel]
    params: Params
    rows: RowCounts = field(default_factory=RowCounts)
    steps: int | None = None
    """Number of optimizer steps of the fine-tune; None for one epoch."""
    fine_tune: bool = True

    @property
    def state(self) -> State:
        return "fine_tuned" if self.fine_tune else "zero_shot"

    def params_of(self, candidate: ListedBaseModel, trained_on: int) -> Params:
        """Return the parameters for the stages of one base model.

        The base model answers all rows before the fine-tune as well. Early stopping is off, because there are no
        validation rows.

        Raises:
            InputError: The fine-tune would have too many epochs.
        """
        params = self.params
        per_epoch = -(-trained_on // params.training.global_batch_size)
        epochs = 1.0 if self.steps is None else self.steps / per_epoch
        if epochs > MAX_EPOCHS:
            raise InputError(
                f"--steps {self.steps}: expected at most {MAX_EPOCHS:,} times through the {trained_on} rows, got "
                f"{epochs:,.0f}; give {MAX_EPOCHS * per_epoch:,} or fewer"
            )
        short = {"epochs": epochs, **dict.fromkeys(VALIDATION_SETTINGS)}
        return params.model_copy(
            update={
                "base_model": candidate.base,
                "training": params.training.model_copy(update=short),
                "evaluation": params.evaluation.model_copy(update={"base_rows": None}),
            }
        )


@dataclass
class ComparisonResults:
    terms: dict[str, ModelTerms] = field(default_factory=dict)
    outcomes: dict[str, ModelOutcome] = field(default_factory=dict)
    failures: dict[str, HallmarkError] = field(default_factory=dict)


def compare(
    root: Path, wish: ComparisonRequest, ledger: Ledger, governance: Governance, watcher: ProgressReceiver
) -> tuple[ComparisonDocument, ComparisonResults]:
    """Compare base models. If one fails, the failure is part of the result, and the comparison continues.

    Raises:
        InputError: The parameters do not fit the rows, or there are too few rows.
        Refused: The rows must not be used; see `rows.choose_rows`.
        Unavailable: No run has rows, or the stages need a sandbox and there is none.
    """
    if wish.steps is not None and any(prompt.text_window for prompt in wish.params.prompts.values()):
        raise InputError(
            "--steps counts rows, and plain texts have as many as a base model's tokenizer makes of them; leave it "
            "out, and say how many texts with --train-rows"
        )
    boxed = sandbox.is_used(governance.policy.environment)
    with hold(root / ".hallmark" / f".{COMPARISONS_FOLDER}.lock", "another comparison is under way"):
        chosen = rows.choose_rows(wish.params, Layout(root), ledger, governance, wish.rows)
        at, codes, found = Workspace.open(root, COMPARISONS_FOLDER), workspace.stage_code_digests(), ComparisonResults()
        works = [_prepare_job(each, wish, chosen, at, codes, boxed, watcher) for each in wish.candidates]
        at.remove_unwanted({it.key for it in works})
        for each, it in zip(wish.candidates, works, strict=True):
            terms = model_terms.judge_terms(each, governance.policy.base_models, chosen.regions)
            found.terms[each.name] = terms
            if terms.licence.allowed:
                _evaluate(it, governance, found)
            else:
                watcher.line(f"{each.name}: not opened, since {terms.licence.why}")
    return make_document(wish, chosen, found), found


@dataclass(frozen=True)
class _ModelJob:
    name: str
    place: Workspace
    key: str
    params: Params
    chosen: ChosenRows
    tuned: bool
    boxed: bool
    watcher: ProgressReceiver

    @property
    def layout(self) -> Layout:
        return self.place.worktree(self.key)


def _prepare_job(
    candidate: ListedBaseModel,
    wish: ComparisonRequest,
    chosen: ChosenRows,
    at: Workspace,
    codes: Mapping[str, str],
    boxed: bool,
    watcher: ProgressReceiver,
) -> _ModelJob:
    params = wish.params_of(candidate, len(chosen.trained_on))
    key = outcome_key(params, chosen, codes, wish.fine_tune)
    return _ModelJob(candidate.name, at, key, params, chosen, wish.fine_tune, boxed, watcher)


def outcome_key(params: Params, chosen: ChosenRows, codes: Mapping[str, str], tuned: bool) -> str:
    """Return the digest of everything that determines an outcome. The licence is left out: it affects no answer."""
    sections = ("prompts", "training", "evaluation") if tuned else ("prompts", "evaluation")
    decides: dict[str, Any] = {name: params.model_dump(mode="json")[name] for name in sections}
    base = params.base_model.model_dump(mode="json", exclude={"licence"})
    decides |= {"base": base, "rows": chosen.sha256, "tuned": tuned}
    code = [codes[stage] for stages in STAGES_BY_STATE.values() for stage in stages]
    return sha256_bytes(
        canonical_json({**decides, "code": code, "libraries": versions.installed_versions().libraries})
    )[:20]


def _evaluate(it: _ModelJob, governance: Governance, found: ComparisonResults) -> None:
    try:
        found.outcomes[it.name] = _stored_outcome(it) or _make_outcome(it, governance)
    except HallmarkError as error:
        found.failures[it.name] = error
        it.watcher.line(f"{it.name}: {error}")
        with suppress(HallmarkError):
            if (it.layout.artefacts("predict/base") / "result.json").is_file():
                found.outcomes[it.name] = outcome.read_outcome(it.layout, it.params)


def _stored_outcome(it: _ModelJob) -> ModelOutcome | None:
    path = it.place.outcome(it.key)
    if not path.is_file():
        return None
    try:
        stored = ModelOutcome.model_validate(read_json(path))
    except ValueError:  # written by another version
        return None
    it.watcher.line(f"{it.name}: was done before")
    return stored


def _make_outcome(it: _ModelJob, governance: Governance) -> ModelOutcome:
    """Execute the stages and store the outcome. Then delete the worktree with its copies of rows and weights."""
    workspace.make_worktree(it.layout, it.params, it.chosen, governance)
    for state in CONTENDERS:
        if state == "zero_shot" or it.tuned:
            _execute_stages(it, state)
    made = outcome.read_outcome(it.layout, it.params)
    write_json(it.place.outcome(it.key), made.model_dump(mode="json"))
    shutil.rmtree(it.layout.root)
    return made


def _execute_stages(it: _ModelJob, state: State) -> None:
    began = time.monotonic()
    for stage in STAGES_BY_STATE[state]:
        what = f"{it.name}: {stage.partition('@')[0]}, {STATE_NAMES[state]}"
        it.watcher.working(what)

        def say(line: str, what: str = what) -> None:
            if reported := progress.parse(line):
                it.watcher.working(what, reported.text)

        stage_execution.execute_stage(it.layout, stage, it.boxed, say)
    it.watcher.line(f"{it.name}: {STATE_NAMES[state]} done, {format_duration(time.monotonic() - began)}")


def make_document(wish: ComparisonRequest, chosen: ChosenRows, found: ComparisonResults) -> ComparisonDocument:
    """Return the comparison with metrics, the best base model, and the differences of the others from it."""
    settings = wish.params.evaluation
    compared = [_compared_model(each, wish, found) for each in wish.candidates]
    best = _best(compared, wish.state)
    if best:
        able = {name: made for name, made in found.outcomes.items() if wish.state in made.taken}
        others = metrics.compare_with_best(best, able, wish.state, settings)
        compared = [_with_difference(each, wish.state, others) for each in compared]
    asked = next(iter(found.outcomes.values()), None)
    return ComparisonDocument(
        use_case=wish.params.use_case.name,
        run=chosen.run,
        demo=chosen.demo,
        asked=len(chosen.asked),
        trained_on=len(chosen.trained_on) if wish.fine_tune else 0,
        languages=dict(sorted(Counter(row.language for row in asked.rows).items())) if asked else {},
        state=wish.state,
        best=best,
        confidence=settings.confidence,
        price_per_hour=settings.price_per_hour,
        metrics=[metric.description(settings) for metric in table.METRICS],
        bases=compared,
        machine=sandbox.describe_machine(),
    )


def _compared_model(candidate: ListedBaseModel, wish: ComparisonRequest, found: ComparisonResults) -> ComparedModel:
    terms, made = found.terms[candidate.name], found.outcomes.get(candidate.name)
    about = ComparedModel(
        name=candidate.name,
        model=base_model.describe(candidate.base),
        provider=candidate.provider,
        region=candidate.region,
        terms=terms,
        allowed=terms.allowed,
        left_out=None,
    )
    failure = found.failures.get(candidate.name)
    if made is None:
        return about.model_copy(update={"left_out": str(failure) if failure else "its licence is not allowed"})
    settings, measured = (
        wish.params.evaluation,
        {state: made.taken[state] for state in CONTENDERS if state in made.taken},
    )
    return about.model_copy(
        update={
            "left_out": str(failure) if failure else None,
            "parameters": made.parameters,
            "context": made.context,
            "longest_prompt": made.longest_prompt,
            "training_gb": made.training_gb if wish.fine_tune else None,
            "standings": {state: metrics.score_state(made, state, settings) for state in measured},
            "taken": measured,
            "trained": made.trained,
            "learnt": metrics.compare_with_zero_shot(made, settings) if "fine_tuned" in measured else None,
        }
    )


def _best(compared: list[ComparedModel], state: State) -> str | None:
    able = [each for each in compared if each.allowed and state in each.standings]
    ranked = sorted(able, key=lambda each: (-each.quality(state).value, each.cost(state) or 0.0))
    return ranked[0].name if ranked else None


def _with_difference(each: ComparedModel, state: State, others: Mapping[str, Comparison]) -> ComparedModel:
    if each.name not in others:
        return each
    own = each.standings[state].model_copy(update={"against_best": others[each.name]})
    return each.model_copy(update={"standings": {**each.standings, state: own}})
