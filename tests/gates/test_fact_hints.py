"""Checks of a policy whose figure no run had at their gate: a word before they are adopted."""

from tasks.gates import fact_hints
from tests.governed.house import House, reload

MISSPELT = "split.train_row"


def test_a_figure_that_the_newest_run_lacked_is_told_with_what_may_be_meant(house: House) -> None:
    assert fact_hints.unmeasured_fact_hints(house.governance.policy, house.ledger) == []
    run = house.ask().run
    (told,) = fact_hints.unmeasured_fact_hints(house.governance.policy, house.ledger)
    lacks = f"risk tier low, gate data: run {run} has no figure"
    assert told == f"{lacks} split.not_there, and where there is none the check 'new fact' passes"
    text = (house.governance.folder / "policy.yaml").read_text()
    reload(house, text.replace("split.train_rows", MISSPELT))
    told, _ = fact_hints.unmeasured_fact_hints(house.governance.policy, house.ledger)
    assert told.startswith(f"{lacks} {MISSPELT}, and") and "'enough rows' fails; is split.train_rows meant?" in told
