"""A metric is a file and a line in the table: the figures, the gate, the report, the card and a run's table follow."""

import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import ModelCard

from infra.cli.summary import scores_table
from infra.cli.table_layout import TableConsole
from tasks.core.facts import Fact
from tasks.core.files import read_json
from tasks.core.layout import Layout
from tasks.runs.reporting import summary
from tasks.stages.evaluate import evaluate
from tasks.stages.evaluate.metrics import table
from tasks.stages.evaluate.metrics.metric import Metric, MetricValues, ScoredRows, values_with_bootstrap
from tasks.stages.evaluate.uncertainty import Array
from tests.registry.house import House
from tests.stages.evaluate import house as evaluation
from tests.stages.evaluate.browser import Page


def measure(rows: ScoredRows) -> MetricValues:
    lengths = rows.values_by_model(lambda _, said: len(said.text))
    return values_with_bootstrap(rows, {which: partial(mean, np.array(values)) for which, values in lengths.items()})


def mean(values: Array, weights: Array) -> Array:
    return weights @ values / len(values)


LENGTH = Metric(
    name="answer_length",
    title="Answer length",
    subject="how much it says",
    computation="mean length of an answer",
    interval_kind="bootstrap",
    explain=lambda _: "characters of an answer as it came",
    measure=measure,
    unit="characters",
)


@pytest.fixture
def evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    monkeypatch.setattr(table, "METRICS", (*table.METRICS, LENGTH))
    layout = evaluation.evaluated(tmp_path / "evaluated", rows=150)
    evaluate.run(evaluation.params(), layout)
    return layout


def test_a_new_metric_is_in_the_figures_the_facts_and_the_report(evaluated: Layout) -> None:
    metrics = read_json(evaluated.artefacts("evaluate") / "metrics.json")
    base = metrics["overall"]["scores"]["base"]["answer_length"]
    assert base == {"value": len("I am sorry"), "low": len("I am sorry"), "high": len("I am sorry")}
    score = metrics["overall"]["scores"]["candidate"]["answer_length"]
    assert score["low"] < score["value"] < score["high"]
    assert metrics["overall"]["comparisons"]["base"]["gains"]["answer_length"]["value"] == pytest.approx(
        score["value"] - 10
    )
    assert all("answer_length" in group["scores"]["candidate"] for group in metrics["slices"])
    fact = read_json(evaluated.artefacts("evaluate") / "result.json")["facts"]["answer_length"]
    assert fact == {**score, "unit": "characters", "note": "mean length of an answer; bootstrap interval"}
    page = Page((evaluated.artefacts("evaluate") / "report.html").read_text()).text
    shown = f"{score['value']:.3g} [{score['low']:.3g}, {score['high']:.3g}]"
    assert f"Answer length how much it says, characters {shown} 10 [10, 10]" in page
    assert "in Answer length, characters" in page
    assert "Answer length : characters of an answer as it came." in page


def test_a_new_metric_is_at_the_gate_in_the_card_and_in_the_bill_of_materials(house: House, evaluated: Layout) -> None:
    layout = house.begin("run-1")
    shutil.copytree(evaluated.artefacts("evaluate"), layout.artefacts("evaluate"), dirs_exist_ok=True)
    fact = Fact(**read_json(layout.artefacts("evaluate") / "result.json")["facts"]["answer_length"])
    house.open(layout, "data")
    assert house.ask(layout, "evaluation").facts["evaluate.answer_length"] == fact
    house.open(layout, "evaluation")
    house.pack(layout)
    payload = layout.artefacts("package") / "payload"
    card = ModelCard.load(payload / "README.md")
    assert card.data.eval_results is not None
    assert ("answer_length", "Answer length", fact.value) in [
        (result.metric_type, result.metric_name, result.metric_value) for result in card.data.eval_results
    ]
    assert f"| evaluate.answer_length | {fact} | {fact.note} |" in card.text
    assert '"evaluate.answer_length"' in (payload / "ml-bom.cdx.json").read_text()


def test_a_new_metric_is_in_the_table_that_a_run_prints(evaluated: Layout) -> None:
    scores = summary.read_scores(evaluated)
    assert list(scores["candidate"]) == [metric.name for metric in table.METRICS]
    console = TableConsole(width=200, soft_wrap=True)
    with console.capture() as capture:
        console.print(scores_table(scores))
    assert "10.000 characters [10.000, 10.000]" in capture.get()


def test_every_metric_of_the_folder_stands_in_the_table_once() -> None:
    folder = Path(table.__file__).parent
    sources = {path.stem: path.read_text() for path in folder.glob("*.py")}
    assert {metric.name for metric in table.METRICS} == {name for name, text in sources.items() if "\nMETRIC =" in text}
    listed = {compared.name for compared in table.COMPARISONS}
    assert listed == {name for name, text in sources.items() if "\nFACT =" in text}
    assert len({metric.name for metric in table.METRICS}) == len(table.METRICS)
