"""Stage `evaluate`, which judges the answers of all models, compares the models, and writes metrics and a report.

The outputs in artefacts/evaluate/ are metrics.json (`tasks.stages.evaluate.metrics_schema.Metrics`), examples.parquet
(`tasks.stages.evaluate.judged_rows.to_table`), report.html, and result.json with the metrics that gates judge.
"""

from tasks.core import facts
from tasks.core.documents.config import FrozenModel
from tasks.core.facts import Fact, Facts
from tasks.core.files import atomic_folder, write_bytes, write_json
from tasks.core.layout import Layout
from tasks.core.params.evaluation import Evaluation
from tasks.core.params.use_case import UseCase
from tasks.core.records import record, texts
from tasks.stages.evaluate import changed_answers, judged_rows, perplexity, scoring
from tasks.stages.evaluate.confidence import results
from tasks.stages.evaluate.metrics import table
from tasks.stages.evaluate.metrics_schema import Metrics
from tasks.stages.evaluate.report import leakage_section, rendering, stage_results, suite_section
from tasks.stages.evaluate.report.page_contents import ReportContents


class Params(FrozenModel):
    evaluation: Evaluation
    use_case: UseCase


def run(params: Params, layout: Layout) -> Metrics:
    """Judge the predictions in artefacts/predict/ against the targets in artefacts/split/test.parquet.

    Raises:
        InputError: The predictions do not match the test rows, or a precision is required and cannot be measured.
    """
    # First of all, because the threshold for review must not depend on a test row.
    rule = results.choose_rule(layout, params.evaluation)
    rows = judged_rows.collect_judged_rows(layout, params.evaluation)
    calibration, review = results.measure_test_rows(rows, rule, params.evaluation)
    figures = scoring.compute_metrics(rows, params.evaluation).model_copy(
        update={"calibration": calibration, "review": review}
    )
    held_out = record.read_table(layout.artefacts("split") / "test.parquet", ["record_id", "messages"]).to_pylist()
    plain = [row for row in held_out if texts.is_plain_text(row)]
    stated = gate_facts(figures) | changed_answers.changed_answer_facts(rows, params.evaluation.confidence)
    stated |= perplexity.perplexity_facts(layout, plain, params.evaluation)
    contents = ReportContents(
        params.use_case,
        params.evaluation,
        figures,
        stated,
        rows,
        stage_results.read_stage_results(layout),
        suite_section.read_suite_section(layout),
        leakage_section.read_leakage(layout),
        measured=None,
    )
    with atomic_folder(layout.artefacts("evaluate")) as folder:
        write_json(folder / "metrics.json", figures.model_dump(mode="json"))
        record.write_table(judged_rows.to_table(rows), folder / "examples.parquet")
        write_bytes(folder / "report.html", rendering.render_report(contents).encode())
        write_json(folder / "result.json", {"facts": facts.facts_to_json(stated)})
    return figures


def gate_facts(metrics: Metrics) -> Facts:
    """Return the candidate's metrics, and its gains over the base model and the champion, for gates to judge."""
    overall = metrics.overall
    scores = overall.scores["candidate"]
    stated = {"test_rows": Fact(value=overall.rows, unit="rows", note="held-out rows")}
    stated |= {
        metric.name: Fact(**scores[metric.name].model_dump(), unit=metric.unit, note=metric.note)
        for metric in metrics.metrics
    }
    stated |= results.confidence_facts(metrics.calibration, metrics.review)
    return stated | {
        f"{figure.name}_{other}": figure.compute_fact(other, compared)
        for other, compared in overall.comparisons.items()
        for figure in table.COMPARISONS
    }
