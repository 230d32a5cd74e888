"""Checks of a policy whose metric no run had at their gate: a word before they are adopted."""

import pytest

from tasks.core.graph import EVIDENCE_STAGES, GATES
from tasks.gates import fact_hints
from tasks.gates.evidence import read_facts
from tasks.policy.fact_names_check import fact_prefixes
from tests.governed.house import House, reload


def test_a_metric_that_the_newest_run_lacked_is_told_with_what_may_be_meant(house: House) -> None:
    assert fact_hints.missing_fact_hints(house.governance.policy, house.ledger) == []
    run = house.ask().run
    (told,) = fact_hints.missing_fact_hints(house.governance.policy, house.ledger)
    assert told == (
        f"risk tier low, gate data: run {run} has no metric split.not_there, so check 'new fact' would pass"
    )
    text = (house.governance.folder / "policy.yaml").read_text()
    reload(house, text.replace("split.train_rows", "split.train_row"))
    told, _ = fact_hints.missing_fact_hints(house.governance.policy, house.ledger)
    assert told == (
        f"risk tier low, gate data: run {run} has no metric split.train_row, so check 'enough rows' would fail; "
        "did you mean split.train_rows?"
    )


@pytest.mark.parametrize("gate", GATES)
def test_every_metric_of_a_gate_begins_as_a_policy_may_name_it(house: House, gate: str) -> None:
    collected = house.collect(gate).facts
    assert read_facts(house.layout, EVIDENCE_STAGES[gate]).keys() <= collected.keys()
    assert [name for name in collected if not name.startswith(tuple(f"{each}." for each in fact_prefixes(gate)))] == []
