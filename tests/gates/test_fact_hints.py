"""Checks of a policy whose metric no run had at their gate: a word before they are adopted."""

import pytest

from tasks.core.graph import EVIDENCE_STAGES, GATES
from tasks.gates import fact_hints
from tasks.gates.evidence import read_facts
from tasks.policy.fact_names_check import fact_prefixes
from tests.governed.house import House, reload


@pytest.mark.parametrize(
    ("fact", "ending"),
    [
        ("split.train_row", "'enough rows' would fail; did you mean split.train_rows?"),
        ("split.kept", "'enough rows' would fail"),
        ("split.train_row, optional: true", "'enough rows' would pass; did you mean split.train_rows?"),
        ("split.kept, optional: true", None),
    ],
)
def test_a_metric_that_the_newest_run_lacked_is_told_with_what_may_be_meant(
    house: House, fact: str, ending: str | None
) -> None:
    assert fact_hints.missing_fact_hints(house.governance.policy, house.ledger) == []
    run = house.ask().run
    assert fact_hints.missing_fact_hints(house.governance.policy, house.ledger) == []
    text = (house.governance.folder / "policy.yaml").read_text()
    reload(house, text.replace("split.train_rows", fact))
    name = fact.partition(",")[0]
    wanted = [f"risk tier low, gate data: run {run} has no metric {name}, so check {ending}"] if ending else []
    assert fact_hints.missing_fact_hints(house.governance.policy, house.ledger) == wanted


@pytest.mark.parametrize("gate", GATES)
def test_every_metric_of_a_gate_begins_as_a_policy_may_name_it(house: House, gate: str) -> None:
    collected = house.collect(gate).facts
    assert read_facts(house.layout, EVIDENCE_STAGES[gate]).keys() <= collected.keys()
    assert [name for name in collected if not name.startswith(tuple(f"{each}." for each in fact_prefixes(gate)))] == []
