"""Stage `leakage`: measure what the candidate gives away about the records that it was trained on.

    artefacts/leakage/leakage.json   `results_schema.LeakageResults`
    artefacts/leakage/result.json    facts for gates: `leakage.canary_p`, `leakage.membership_auc` and others

Without canaries and with `evaluation.leakage_rows` 0, no model is loaded.
"""

from dataclasses import replace

from tasks.core import facts
from tasks.core.files import atomic_folder, write_json
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.progress import print_progress
from tasks.stages.evaluate import models
from tasks.stages.evaluate.leakage import (
    canary_ranks,
    leakage_facts,
    membership,
    model_answers,
    questions,
    regurgitation,
)
from tasks.stages.evaluate.leakage.model_answers import ModelAnswers
from tasks.stages.evaluate.leakage.questions import Questions, SplitRows
from tasks.stages.evaluate.leakage.results_schema import LeakageResults
from tasks.stages.evaluate.model_names import ModelName
from tasks.stages.evaluate.models import ModelFolders
from tasks.stages.evaluate.predict import Params

__all__ = ["Params", "run"]


def run(params: Params, layout: Layout) -> LeakageResults:
    """Measure the candidate and the base model. Errors in locating, loading and running them are not caught."""
    print_progress("leakage", "reading the rows")
    rows = questions.read_rows(layout, params.evaluation)
    results = LeakageResults(confidence=params.evaluation.confidence)
    if rows.canaries or rows.train:
        results = _measure(rows, params, layout)
    with atomic_folder(layout.artefacts("leakage")) as folder:
        write_json(folder / "leakage.json", results.model_dump(mode="json"))
        write_json(folder / "result.json", {"facts": facts.facts_to_json(leakage_facts.leakage_facts(results))})
    return results


def _measure(rows: SplitRows, params: Params, layout: Layout) -> LeakageResults:
    settings, candidate = params.evaluation, models.locate_model(layout, "candidate")
    assert candidate  # only a champion can be absent
    limits = models.read_prompt_limits(candidate)
    asked = questions.ask(rows, candidate, limits, params.prompts, settings)
    answers: dict[ModelName, ModelAnswers] = {
        "candidate": model_answers.ask_model(candidate, limits, asked, settings, "leakage")
    }
    if asked.train or asked.long_train:
        # The base model cannot know a secret, and its continuations of test rows show nothing more.
        fewer = replace(asked, canaries=[], canary_targets=[], canary_prompts=[], long_test=[])
        base = ModelFolders(candidate.base_folder)
        answers["base"] = model_answers.ask_model(base, limits, fewer, settings, "leakage, base model")
    return _summarise(asked, answers, settings)


def _summarise(asked: Questions, answers: dict[ModelName, ModelAnswers], settings: Evaluation) -> LeakageResults:
    ours, confidence = answers["candidate"], settings.confidence
    results = LeakageResults(confidence=confidence)
    if asked.canaries:
        names = [row["record_id"] for row in asked.canaries]
        planted = canary_ranks.canary_results(names, ours.canary_losses, ours.extracted, settings)
        results = results.model_copy(update={"canaries": planted})
    if asked.train and asked.test:
        told = membership.membership_results(ours.row_losses, answers["base"].row_losses, confidence)
        results = results.model_copy(update={"membership": told})
    if asked.long_train:
        likenesses = {which: each.train_likenesses for which, each in answers.items()}
        said = regurgitation.regurgitation_results(likenesses, ours.test_likenesses, confidence)
        results = results.model_copy(update={"regurgitation": said})
    return results
