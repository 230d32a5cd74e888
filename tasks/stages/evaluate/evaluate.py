"""Stage `evaluate`: judges the answers of all models, compares the models and writes metrics and a report.

Writes artefacts/evaluate/: metrics.json (`tasks.stages.evaluate.document.Metrics`), examples.parquet
(`tasks.stages.evaluate.examples.table`), report.html, and result.json with the facts that gates judge.
"""

from tasks.core import facts, record, texts
from tasks.core.config import FrozenModel
from tasks.core.facts import Fact, Facts
from tasks.core.files import atomic_folder, write_bytes, write_json
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.use_case import UseCase
from tasks.stages.evaluate import examples, perplexity, scoring
from tasks.stages.evaluate.document import Metrics
from tasks.stages.evaluate.metrics import table
from tasks.stages.evaluate.report import account, report
from tasks.stages.evaluate.report.page import ReportContents


class Params(FrozenModel):
    evaluation: Evaluation
    use_case: UseCase


def run(params: Params, layout: Layout) -> Metrics:
    """Judge the predictions in artefacts/predict/ by the targets in artefacts/split/test.parquet.

    Raises:
        InputError: The predictions are for other rows.
    """
    rows = examples.collect(layout, params.evaluation)
    figures = scoring.compute(rows, params.evaluation)
    held_out = record.read_table(layout.artefacts("split") / "test.parquet", ["record_id", "messages"]).to_pylist()
    plain = [row for row in held_out if texts.is_text(row)]
    stated = facts_of(figures) | perplexity.facts(layout, plain, params.evaluation)
    contents = ReportContents(
        params.use_case, params.evaluation, figures, stated, rows, account.read(layout), measured=None
    )
    with atomic_folder(layout.artefacts("evaluate")) as folder:
        write_json(folder / "metrics.json", figures.model_dump(mode="json"))
        record.write_table(examples.to_table(rows), folder / "examples.parquet")
        write_bytes(folder / "report.html", report.render(contents).encode())
        write_json(folder / "result.json", {"facts": facts.dump(stated)})
    return figures


def facts_of(figures: Metrics) -> Facts:
    """Return the facts for gates: the candidate's metrics, and its gains over the base model and the champion."""
    overall = figures.overall
    scores = overall.scores["candidate"]
    stated = {"test_rows": Fact(value=overall.rows, unit="rows", note="held-out rows")}
    stated |= {
        metric.name: Fact(**scores[metric.name].model_dump(), unit=metric.unit, note=metric.note)
        for metric in figures.metrics
    }
    return stated | {
        f"{figure.name}_{other}": figure.fact(other, compared)
        for other, compared in overall.comparisons.items()
        for figure in table.COMPARISONS
    }
