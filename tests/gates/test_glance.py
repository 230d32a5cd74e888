"""What is read in one glance before a decision: who asked why, about whom the data is, what follows."""

import pytest

from tasks.core.graph import GATES
from tasks.gates import decision_summary, evidence_text, signed_request
from tasks.sources.dataset import Dataset, DatasetSource
from tests.governed.datasets import origin
from tests.governed.house import House

WHY = "labels of March\nand then some"


def test_it_says_who_asked_why_and_for_what(house: House) -> None:
    signed_request.record_request(house.ledger, house.governance, house.sign_request(reason=WHY))
    said = decision_summary.summary_lines(house.collect(), house.ledger, house.governance)
    assert said["asked by"].startswith("asker: labels of March") and "\n" not in said["asked by"]
    assert said["problem"] and said["for"] and said["who decides"] == evidence_text.deciders_text(house.collect().asks)


def test_a_run_without_a_reason_says_so(house: House) -> None:
    said = decision_summary.summary_lines(house.collect(), house.ledger, house.governance)
    assert said["asked by"] == "asker: no reason was given"


@pytest.mark.parametrize("gate", GATES)
def test_it_says_what_follows_with_who_decides_there(house: House, gate: str) -> None:
    said = decision_summary.summary_lines(house.collect(gate), house.ledger, house.governance)["once it passes"]
    later = GATES[GATES.index(gate) + 1 :]
    assert [each in said for each in (f"the {name} gate" for name in GATES)] == [name in later for name in GATES]
    assert said.endswith("promotion") and ("train" in said) == (gate == "data")


def test_a_demo_is_for_no_production(house: House) -> None:
    assert decision_summary.next_steps_text(house.collect(demo=True), house.governance).endswith(
        "promotion as a demo, not for production"
    )


@pytest.mark.parametrize("gate", GATES)
def test_it_says_what_can_be_undone(house: House, gate: str) -> None:
    said = decision_summary.summary_lines(house.collect(gate), house.ledger, house.governance)["can be undone"]
    later = GATES[GATES.index(gate) + 1 :]
    then = "hallmark data withdraw" if gate == "data" else f"at the {later[0]} gate" if later else "in production"
    assert said.startswith("a decision can be withdrawn while the gate is open") and then in said.partition(";")[2]


def of_people(counts: dict[str, int] | None) -> DatasetSource:
    return DatasetSource(**origin(9) | {"people": counts})


def test_people_are_counted_by_class_over_all_sources() -> None:
    several = [of_people({"name": 1_200, "email": 3}), of_people({"name": 4})]
    assert decision_summary.people_counts_text(several).startswith("name 1,204, email 3 (different values")
    assert decision_summary.people_counts_text([of_people({})]) == "nobody was found in it"
    assert "an earlier version" in decision_summary.people_counts_text([*several, of_people(None)])


def test_the_terms_of_a_source_stand_beside_it() -> None:
    said = decision_summary.source_terms(of_people({}))
    assert {*said} == {"class", "lawful basis", "licence", "region", "kept", "approved for"} and all(said.values())


def test_what_is_kept_readable_is_said_wherever_finds_are_counted() -> None:
    kept = DatasetSource(**origin(9) | {"protected": {"name": 20, "email": 4}, "actions": {"name": "keep"}})
    removed = DatasetSource(**origin(9) | {"protected": {"name": 1_000}})
    assert decision_summary.protected_values_text(kept) == "24 found, 20 kept readable (name)"
    assert (
        decision_summary.protected_values_text(removed) == "1,000 found"
        and decision_summary.protected_values_text(of_people({})) == "4 found"
    )
    several = Dataset.model_construct(sources={"b": kept, "a": removed})
    assert decision_summary.kept_readable_text(several) == "b: 20 kept readable (name)"
