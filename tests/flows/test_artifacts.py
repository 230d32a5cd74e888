"""What a run shows to people, and that nothing of it stands in the run's way."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from flows import artifacts
from tasks.inquiry.planted_defects import gate_facts, score
from tasks.stages.data.clean import clean
from tasks.stages.data.deduplicate import deduplicate
from tasks.stages.data.ingest import ingest
from tasks.stages.evaluate.report import planted_defects
from tests.stages.data.build import Run, messages, params, source, table

TRUTH = "source_id,row,defect,original,value\nsrc,1,name,,Ada Lovelace\n"
ROWS = [{"text": "My name is Ada Lovelace", "label": "x"}, *messages(5)]


@pytest.fixture
def made(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run that has been through `deduplicate`, over a source in which a name was planted."""
    monkeypatch.setattr(artifacts, "get_run_logger", lambda: logging.getLogger("run"))
    run = Run(tmp_path)
    (run.root / "data.csv").write_bytes(table(ROWS))
    (run.root / "truth.csv").write_text(TRUTH)
    run.resolve(source("data.csv"), truth="truth.csv")
    for stage in (ingest, clean, deduplicate):
        stage.run(params(), run.layout)
    return run


def judged(run: Run) -> Any:
    artifacts.score_planted_values(SimpleNamespace(layout=run.layout))  # type: ignore[arg-type]
    return planted_defects.read_planted_defects(run.layout)


def test_the_data_gate_gets_the_recall_of_masking_by_class(made: Run) -> None:
    assert gate_facts.read_recall_facts(made.layout) == {}
    assert gate_facts.describe_misses({}).startswith("not measured here: nobody planted values in these sources")
    (made.root / "truth.csv").write_text(TRUTH + "src,2,credential,,message number 0\n")
    made.resolve(source("data.csv"), truth="truth.csv")
    artifacts.score_planted_values(SimpleNamespace(layout=made.layout))  # type: ignore[arg-type]
    found = gate_facts.read_recall_facts(made.layout)
    assert {name: fact.value for name, fact in found.items()} == {
        "planted.recall_name": 1, "planted.recall_credential": 0, "planted.recall_all": 11 / 25
    }  # fmt: skip
    assert gate_facts.describe_misses(found) == (
        "credential 100% (0 of 14 characters of 1 planted values); nothing of name. "
        "Of all: 56% (11 of 25 characters of 2 planted values)"
    )


@pytest.mark.parametrize("name", ["data.csv", "truth.csv"])
def test_a_source_or_truth_that_changed_while_a_run_was_parked_does_not_end_it(
    made: Run, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    (made.root / name).write_bytes(table(messages(2)))
    assert judged(made) is None
    assert "no new figures of what was planted" in caplog.text and name in caplog.text


def test_figures_that_were_made_before_stay(made: Run, caplog: pytest.LogCaptureFixture) -> None:
    before = judged(made)
    assert before is not None and before.classes and not caplog.text
    (made.root / "data.csv").unlink()
    assert judged(made) == before
    assert "data.csv" in caplog.text


def test_an_error_that_may_quote_a_row_is_told_by_its_name(
    made: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: object) -> None:
        raise ValueError("Ada Lovelace")

    monkeypatch.setattr(score, "write_score", broken)
    assert judged(made) is None
    assert "ValueError" in caplog.text and "Ada" not in caplog.text
