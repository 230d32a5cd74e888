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

from tasks.compare import allowed, figures, outcome, rows
from tasks.compare.allowed import Terms
from tasks.compare.candidates import Candidate
from tasks.compare.document import Compared, Document
from tasks.compare.outcome import STATES, Outcome, State
from tasks.compare.rows import Chosen, Wanted
from tasks.core.errors import HallmarkError, InputError
from tasks.core.files import canonical_json, read_json, sha256_bytes, write_json
from tasks.core.layout import Layout
from tasks.core.locks import turn
from tasks.core.params.params import Params
from tasks.core.params.training import LOOKS, MOST_EPOCHS
from tasks.core.progress import duration
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.runs import dvc
from tasks.scratch import place, work
from tasks.scratch.place import Place
from tasks.scratch.work import Watcher
from tasks.stages.cluster import versions
from tasks.stages.evaluate.document import Comparison
from tasks.stages.evaluate.metrics import table
from tasks.stages.train.base import base_model
from tasks.supervise import box

FOLDER = "compared"
"""Folder below `.hallmark/`. Outcomes in it hold ids of rows and verdicts on answers, but no texts."""
WORDS: Mapping[State, str] = {"zero_shot": "zero-shot", "fine_tuned": "fine-tuned"}
BRING: Mapping[State, tuple[str, ...]] = {
    "zero_shot": ("base_model", "predict@base"),
    "fine_tuned": ("tokenise", "train", "predict@candidate"),
}
"""Stages to execute for each state, in addition to those of the states before."""


@dataclass(frozen=True)
class Wish:
    """Parameters of a comparison."""

    candidates: list[Candidate]
    params: Params
    rows: Wanted = field(default_factory=Wanted)
    steps: int | None = None
    """Number of optimizer steps; None for one epoch."""
    tuned: bool = True

    @property
    def state(self) -> State:
        return "fine_tuned" if self.tuned else "zero_shot"

    def params_of(self, candidate: Candidate, trained_on: int) -> Params:
        """Return the parameters of a base model's stages.

        The base model answers all rows before the fine-tune too, and there are no validation rows for early stopping.

        Raises:
            InputError: The training would have too many epochs.
        """
        params = self.params
        per_epoch = -(-trained_on // params.training.global_batch_size)
        epochs = 1.0 if self.steps is None else self.steps / per_epoch
        if epochs > MOST_EPOCHS:
            raise InputError(
                f"--steps {self.steps}: expected at most {MOST_EPOCHS:,} times through the {trained_on} rows, got "
                f"{epochs:,.0f}; give {MOST_EPOCHS * per_epoch:,} or fewer"
            )
        short = {"epochs": epochs, **dict.fromkeys(LOOKS)}
        return params.model_copy(
            update={
                "base_model": candidate.base,
                "training": params.training.model_copy(update=short),
                "evaluation": params.evaluation.model_copy(update={"base_rows": None}),
            }
        )


@dataclass
class Found:
    """Results of a comparison, by name of the base model."""

    terms: dict[str, Terms] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    failures: dict[str, HallmarkError] = field(default_factory=dict)


def compare(root: Path, wish: Wish, ledger: Ledger, governance: Governance, watcher: Watcher) -> tuple[Document, Found]:
    """Compare base models. If one fails, the failure is part of the result, and the comparison continues.

    Raises:
        InputError: The parameters do not fit the rows, or there are too few rows.
        Refused: The rows may not be used; see `rows.choose`.
        Unavailable: No run has rows, or stages need a sandbox and there is none.
    """
    if wish.steps is not None and any(prompt.text_window for prompt in wish.params.prompts.values()):
        raise InputError(
            "--steps counts rows, and plain texts have as many as a base model's tokenizer makes of them; leave it "
            "out, and say how many texts with --train-rows"
        )
    boxed = box.wanted(governance.policy.environment)
    with turn(root / ".hallmark" / f".{FOLDER}.lock", "another comparison is under way"):
        chosen = rows.choose(wish.params, Layout(root), ledger, governance, wish.rows)
        at, codes, found = Place.of(root, FOLDER), place.codes(), Found()
        works = [_work(each, wish, chosen, at, codes, boxed, watcher) for each in wish.candidates]
        at.clear({it.key for it in works})
        for each, it in zip(wish.candidates, works, strict=True):
            terms = allowed.terms(each, governance.policy.base_models, chosen.regions)
            found.terms[each.name] = terms
            if terms.licence.allowed:
                _find(it, governance, found)
            else:
                watcher.line(f"{each.name}: not opened, since {terms.licence.why}")
    return document_of(wish, chosen, found), found


@dataclass(frozen=True)
class _Work:
    name: str
    place: Place
    key: str
    params: Params
    chosen: Chosen
    tuned: bool
    boxed: bool
    watcher: Watcher

    @property
    def layout(self) -> Layout:
        return self.place.worktree(self.key)


def _work(
    candidate: Candidate,
    wish: Wish,
    chosen: Chosen,
    at: Place,
    codes: Mapping[str, str],
    boxed: bool,
    watcher: Watcher,
) -> _Work:
    params = wish.params_of(candidate, len(chosen.trained_on))
    key = key_of(params, chosen, codes, wish.tuned)
    return _Work(candidate.name, at, key, params, chosen, wish.tuned, boxed, watcher)


def key_of(params: Params, chosen: Chosen, codes: Mapping[str, str], tuned: bool) -> str:
    """Return the digest of everything that decides an outcome. The licence is left out, since it changes no answer."""
    sections = ("prompts", "training", "evaluation") if tuned else ("prompts", "evaluation")
    decides: dict[str, Any] = {name: params.model_dump(mode="json")[name] for name in sections}
    base = params.base_model.model_dump(mode="json", exclude={"licence"})
    decides |= {"base": base, "rows": chosen.sha256, "tuned": tuned}
    code = [codes[stage] for stages in BRING.values() for stage in stages]
    return sha256_bytes(canonical_json({**decides, "code": code, "libraries": versions.of_here().libraries}))[:20]


def _find(it: _Work, governance: Governance, found: Found) -> None:
    """Add the outcome to `found`. If a stage fails, add the failure, and the outcome up to that stage if any."""
    try:
        found.outcomes[it.name] = _kept(it) or _made(it, governance)
    except HallmarkError as error:
        found.failures[it.name] = error
        it.watcher.line(f"{it.name}: {error}")
        with suppress(HallmarkError):
            if (it.layout.stage("predict/base") / "result.json").is_file():
                found.outcomes[it.name] = outcome.read(it.layout, it.params)


def _kept(it: _Work) -> Outcome | None:
    path = it.place.outcome(it.key)
    if not path.is_file():
        return None
    try:
        kept = Outcome.model_validate(read_json(path))
    except ValueError:  # written by another version
        return None
    it.watcher.line(f"{it.name}: was done before")
    return kept


def _made(it: _Work, governance: Governance) -> Outcome:
    """Execute the stages and store the outcome. The worktree is deleted then, with its copies of rows and weights."""
    place.make(it.layout, it.params, it.chosen, governance)
    for state in STATES:
        if state == "zero_shot" or it.tuned:
            _bring(it, state)
    made = outcome.read(it.layout, it.params)
    write_json(it.place.outcome(it.key), made.model_dump(mode="json"))
    shutil.rmtree(it.layout.root)
    return made


def _bring(it: _Work, state: State) -> None:
    began = time.monotonic()
    for stage in BRING[state]:
        what = f"{it.name}: {stage.partition('@')[0]}, {WORDS[state]}"
        it.watcher.working(what)

        def say(line: str, what: str = what) -> None:
            if match := dvc.PROGRESS.match(line):
                it.watcher.working(what, match["how"])

        work.bring(it.layout, stage, it.boxed, say)
    it.watcher.line(f"{it.name}: {WORDS[state]} done, {duration(time.monotonic() - began)}")


def document_of(wish: Wish, chosen: Chosen, found: Found) -> Document:
    """Return the comparison with figures, the best base model, and the differences of the others from it."""
    settings = wish.params.evaluation
    compared = [_compared(each, wish, found) for each in wish.candidates]
    best = _best(compared, wish.state)
    if best:
        able = {name: made for name, made in found.outcomes.items() if wish.state in made.taken}
        others = figures.against(best, able, wish.state, settings)
        compared = [_against(each, wish.state, others) for each in compared]
    asked = next(iter(found.outcomes.values()), None)
    return Document(
        use_case=wish.params.use_case.name,
        run=chosen.run,
        demo=chosen.demo,
        asked=len(chosen.asked),
        trained_on=len(chosen.trained_on) if wish.tuned else 0,
        languages=dict(sorted(Counter(row.language for row in asked.rows).items())) if asked else {},
        state=wish.state,
        best=best,
        confidence=settings.confidence,
        price_per_hour=settings.price_per_hour,
        metrics=[metric.described(settings) for metric in table.METRICS],
        bases=compared,
        machine=box.machine(),
    )


def _compared(candidate: Candidate, wish: Wish, found: Found) -> Compared:
    terms, made = found.terms[candidate.name], found.outcomes.get(candidate.name)
    about = Compared(
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
    settings, taken = wish.params.evaluation, {state: made.taken[state] for state in STATES if state in made.taken}
    return about.model_copy(
        update={
            "left_out": str(failure) if failure else None,
            "parameters": made.parameters,
            "context": made.context,
            "longest_prompt": made.longest_prompt,
            "training_gb": made.training_gb if wish.tuned else None,
            "standings": {state: figures.standing(made, state, settings) for state in taken},
            "taken": taken,
            "trained": made.trained,
            "learnt": figures.learnt(made, settings) if "fine_tuned" in taken else None,
        }
    )


def _best(compared: list[Compared], state: State) -> str | None:
    able = [each for each in compared if each.allowed and state in each.standings]
    ranked = sorted(able, key=lambda each: (-each.quality(state).value, each.cost(state) or 0.0))
    return ranked[0].name if ranked else None


def _against(each: Compared, state: State, others: Mapping[str, Comparison]) -> Compared:
    if each.name not in others:
        return each
    own = each.standings[state].model_copy(update={"against_best": others[each.name]})
    return each.model_copy(update={"standings": {**each.standings, state: own}})
