"""What a gate or promotion will say whatever a run makes is told before anything is made."""

from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import InputError, Refused
from tasks.core.params.params import Params
from tasks.declarations.criteria import AcceptanceCriteria
from tasks.runs.requests.expected_failures import ExpectedFailure, find_expected_failures
from tasks.sources import sources
from tests import in_process, tiny_project
from tests.checkouts import Checkouts
from tests.infra.promoted import promote
from tests.registry.house import PARAMS, SOURCE, House, found
from tests.registry.test_successors import LAXER, two_tiers


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.delenv("HALLMARK_LEDGER_URL", raising=False)
    return found(tmp_path / "house")


def card(**changes: Any) -> Params:
    return Params.model_validate(PARAMS | {"use_case": PARAMS["use_case"] | changes})  # type: ignore[operator]


def told(house: House, params: Params, demo: bool = False) -> list[ExpectedFailure]:
    named = sources.Sources.model_validate({"sources": [SOURCE["source"]]})
    return find_expected_failures(params, named, house.ledger, house.governance, demo)


def promoted(house: House, tier: str = "low") -> None:
    """A release as the ledger knows it."""
    said = {
        "name": "triage",
        "tier": tier,
        "bar": AcceptanceCriteria.from_params(card()),
        "run": "run-1",
        "requested_by": "engineer",
    }
    promote(house.ledger, house.governance, **said)


def test_where_all_is_well_nothing_is_told(house: House) -> None:
    promoted(house)
    assert told(house, card()) == []


def test_a_use_that_a_source_does_not_allow_and_nobody_may_waive_is_refused(house: House) -> None:
    with pytest.raises(Refused, match="tickets is not approved for 'rank employees'"):
        told(house, card(approved_uses=["suggest a queue", "rank employees"]))


def test_laxer_metrics_that_may_be_waived_are_told(house: House) -> None:
    promoted(house)
    (one,) = told(house, card(success_metrics=LAXER))
    assert (one.gate, one.waived_by) == ("evaluation", "risk")
    assert "'right answers' (evaluate.exact_match) low end at least 0.7 becomes low end at least 0" in str(one)
    assert "role risk may waive it" in str(one)


def test_laxer_metrics_that_nobody_may_waive_are_refused(house: House) -> None:
    promoted(house)
    house.adopt(lambda text: text.replace("        waive: {role: risk, max_days: 30}\n", ""))
    with pytest.raises(Refused, match="policy lets nobody waive it"):
        told(house, card(success_metrics=LAXER))


def test_a_check_of_more_rows_than_the_parameters_keep_is_told(house: House) -> None:
    two, one = (Params.model_validate(PARAMS | {"data": {"train_rows": rows}}) for rows in (2, 1))
    assert told(house, two) == []
    with pytest.raises(
        Refused, match=r"'enough rows' will fail at the data gate:\n  it asks for 2 rows, and data.train_r"
    ):
        told(house, one)
    house.adopt(lambda text: text.replace("data:\n", "data:\n        waive: {role: risk, max_days: 30}\n", 1))
    (failure,) = told(house, one)
    assert (failure.gate, failure.check, failure.waived_by) == ("data", "enough rows", "risk")


def test_a_champion_of_a_higher_tier_is_told_before_the_run(house: House) -> None:
    house.adopt(two_tiers)
    promoted(house, "high")
    with pytest.raises(Refused, match="triage-1 is the champion in risk tier high"):
        told(house, card())
    assert told(house, card(risk_tier="high")) == []


def test_an_experiment_is_asked_nothing(house: House) -> None:
    promoted(house)
    assert told(house, card(risk_tier="experiment", success_metrics=LAXER, approved_uses=["anything"])) == []


def test_a_metric_that_shares_its_name_with_a_check_is_refused(house: House) -> None:
    with pytest.raises(InputError, match="more than one check named 'good enough'"):
        told(house, card(success_metrics=[LAXER[0] | {"name": "good enough"}]))


@pytest.mark.attack(rights="approver", stopped="every source's owner has approved every use of the use case")
def test_no_run_is_made_for_a_use_that_no_owner_approved(tmp_path: Path, checkouts: Checkouts) -> None:
    folder = checkouts.made(tmp_path / "project")
    policy = folder / "infra" / "governance" / "policy.yaml"
    policy.write_text(policy.read_text().replace("max_days: 90}", "max_days: 90, checks: [enough rows]}", 1))
    tiny_project.commit(folder, "Nobody waives that")
    in_process.hallmark(folder, "init")
    with pytest.raises(Refused, match="messages is not approved for 'rank employees' \\(approved: 'tests'\\)"):
        tiny_project.create(folder, "one", changes={"use_case.approved_uses": "[tests, rank employees]"})
    assert not (folder / ".hallmark" / "runs" / "one").exists()
