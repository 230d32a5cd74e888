"""Metrics of several base models on the same rows, with intervals and paired differences.

Metrics, intervals and significance tests are the same as in stage `evaluate`.
"""

from collections.abc import Mapping, Sequence

from tasks.compare.outcome import AnsweredRow, AnswerVerdict, ModelOutcome, ModelState
from tasks.core.documents.config import FrozenModel
from tasks.core.params.evaluation import Evaluation
from tasks.stages.evaluate import model_comparison, uncertainty
from tasks.stages.evaluate.judged_rows import SLICE_FIELDS, JudgedAnswer, JudgedRow
from tasks.stages.evaluate.metrics import table
from tasks.stages.evaluate.metrics.metric import ScoredRows
from tasks.stages.evaluate.metrics_schema import Comparison
from tasks.stages.evaluate.model_names import ModelName
from tasks.stages.evaluate.uncertainty import Interval

ScoresByMetric = dict[str, Interval]


class LanguageScores(FrozenModel):
    rows: int
    scores: ScoresByMetric


class StateScores(FrozenModel):
    """Metrics of a base model in one state, before or after fine-tuning."""

    scores: ScoresByMetric
    languages: dict[str, LanguageScores]
    against_best: Comparison | None = None
    """Comparison of the model's answers with those of the best base model; null for the best model itself."""


def score_state(outcome: ModelOutcome, state: ModelState, settings: Evaluation) -> StateScores:
    languages = sorted({row.language for row in outcome.rows})
    parts = {name: [row for row in outcome.rows if row.language == name] for name in languages}
    return StateScores(
        scores=_compute_scores(outcome.rows, state, settings),
        languages={
            name: LanguageScores(rows=len(rows), scores=_compute_scores(rows, state, settings))
            for name, rows in parts.items()
        },
    )


def _compute_scores(rows: Sequence[AnsweredRow], state: ModelState, settings: Evaluation) -> ScoresByMetric:
    judged = ScoredRows([_judged_row(row, {"candidate": row.said[state]}) for row in rows], settings)
    return {metric.name: metric.measure(judged).scores["candidate"] for metric in table.METRICS}


def compare_with_zero_shot(outcome: ModelOutcome, settings: Evaluation) -> Comparison:
    return _compare_answers(outcome, "fine_tuned", outcome, "zero_shot", settings)


def compare_with_best(
    best: str, outcomes: Mapping[str, ModelOutcome], state: ModelState, settings: Evaluation
) -> dict[str, Comparison]:
    """Compare all other base models with the best one, each in the given state.

    P values are corrected by Holm's method.
    """
    others = {name: outcome for name, outcome in outcomes.items() if name != best}
    compared = {name: _compare_answers(it, state, outcomes[best], state, settings) for name, it in others.items()}
    ps = uncertainty.holm_correction([each.p for each in compared.values()])
    return {
        name: each.model_copy(
            update={"p_holm": p, "verdict": model_comparison.verdict(each.gain, p, settings.confidence)}
        )
        for (name, each), p in zip(compared.items(), ps, strict=True)
    }  # fmt: skip


def _compare_answers(
    outcome: ModelOutcome, state: ModelState, other_outcome: ModelOutcome, other_state: ModelState, settings: Evaluation
) -> Comparison:
    second_rows = {row.record_id: row for row in other_outcome.rows}
    examples = [
        _judged_row(row, {"candidate": row.said[state], "base": second_rows[row.record_id].said[other_state]})
        for row in outcome.rows
    ]
    rows = ScoredRows(examples, settings)
    right = rows.values_by_model(lambda _, said: said.right)
    gains = {metric.name: metric.measure(rows).gains.get("base") for metric in table.METRICS}
    return model_comparison.compare_models(
        uncertainty.count_pairs(right["candidate"], right["base"]),
        {name: gain for name, gain in gains.items() if gain},
        settings.confidence,
    )


def _judged_row(row: AnsweredRow, verdicts: Mapping[ModelName, AnswerVerdict]) -> JudgedRow:
    return JudgedRow(
        record_id=row.record_id,
        slices=dict.fromkeys(SLICE_FIELDS, "") | {"language": row.language},
        prompt="",
        expected="",
        label=row.label,
        said={which: JudgedAnswer("", it.right, it.well_formed, it.label, "") for which, it in verdicts.items()},
    )
