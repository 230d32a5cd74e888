"""Stage `evaluate`: the answers of all models judged, compared and written up.

Writes artefacts/evaluate/: metrics.json (`tasks.stages.evaluate.metrics.Metrics`), examples.parquet
(`tasks.stages.evaluate.examples.table`), report.html, and result.json with the facts that gates judge.
"""

from tasks.core import facts, record
from tasks.core.config import Frozen
from tasks.core.facts import Fact, Facts
from tasks.core.files import whole_folder, write_bytes, write_json
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.use_case import UseCase
from tasks.stages.evaluate import examples, scoring
from tasks.stages.evaluate.intervals import Interval
from tasks.stages.evaluate.metrics import Metrics
from tasks.stages.evaluate.report import account, report
from tasks.stages.evaluate.report.page import Contents


class Params(Frozen):
    """What it reads of params.yaml."""

    evaluation: Evaluation
    use_case: UseCase


def run(params: Params, layout: Layout) -> Metrics:
    """Judge artefacts/predict/*/ against artefacts/split/test.parquet. Raises InputError where they don't fit."""
    rows = examples.collect(layout, params.evaluation)
    figures = scoring.compute(rows, params.evaluation)
    stated = facts_of(figures)
    contents = Contents(params.use_case, params.evaluation, figures, stated, rows, account.read(layout), measured=None)
    with whole_folder(layout.stage("evaluate")) as folder:
        write_json(folder / "metrics.json", figures.model_dump(mode="json"))
        record.write_table(examples.table(rows), folder / "examples.parquet")
        write_bytes(folder / "report.html", report.render(contents).encode())
        write_json(folder / "result.json", {"facts": facts.dump(stated)})
    return figures


def facts_of(figures: Metrics) -> Facts:
    """What gates judge: the candidate's figures, and its gain over the base model and the champion."""
    overall = figures.overall
    score = overall.scores["candidate"]
    found = {
        "test_rows": Fact(value=overall.rows, unit="rows", note="held-out rows"),
        "exact_match": _fact(score.exact_match, "share of right answers; Wilson interval"),
        "format_adherence": _fact(score.format_adherence, "share of well-formed answers; Wilson interval"),
        "macro_f1": _fact(score.macro_f1, "mean F1 over expected labels; bootstrap interval"),
    }
    for other, compared in overall.comparisons.items():
        found[f"gain_over_{other}"] = _fact(
            compared.gain,
            f"exact match minus that of the {other} on {compared.rows:,} rows; Newcombe's paired interval",
        )
        found[f"mcnemar_p_{other}"] = Fact(
            value=compared.p,
            note=f"exact McNemar test: {compared.gained} of {compared.rows:,} rows gained, {compared.lost} lost",
        )
    return found


def _fact(figure: Interval, note: str) -> Fact:
    return Fact(value=figure.value, low=figure.low, high=figure.high, note=note)
