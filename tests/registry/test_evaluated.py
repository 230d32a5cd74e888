"""An evaluation is on the ledger with the figures that the use case is judged by, once."""

from tasks.core.files import tree_digest
from tasks.core.params import params
from tasks.runs import run_entries
from tests.registry.house import House


def test_an_evaluation_is_recorded_once_by_digest_and_headline_figures(house: House) -> None:
    layout = house.begin("run-1")
    checked = params.load_params(layout.params_path)
    made = run_entries.record_evaluation(house.ledger, layout, "run-1", checked)
    assert made.body["figures"] == {"exact_match": {"value": 0.8, "low": 0.75, "high": 0.85}}
    assert made.body["sha256"] == tree_digest(layout.artefacts("evaluate"))
    assert run_entries.record_evaluation(house.ledger, layout, "run-1", checked) == made
    (layout.artefacts("evaluate") / "metrics.json").write_text("{}")
    assert run_entries.record_evaluation(house.ledger, layout, "run-1", checked).seq > made.seq
