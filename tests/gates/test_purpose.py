"""What lets data pass does so for one use case and its tier, and every source must allow the use."""

from typing import Any

import pytest

from tasks.core.errors import InputError, Refused
from tasks.core.params.params import Params
from tasks.core.params.use_case import SuccessMetric
from tasks.declarations.criteria import AcceptanceCriteria, PromotedCriteria
from tasks.gates import gates
from tasks.gates.checks.purpose import unapproved_uses
from tasks.gates.evidence import Evidence
from tasks.policy.gate_rules import CHECK_NAMES_OF_EVERY_TIER
from tests.gates.test_attacks import plant
from tests.governed.datasets import dataset, origin, put
from tests.governed.house import PARAMS, POLICY, House, put_result, reload

TIER = POLICY[POLICY.index("  low:") : POLICY.index("changes:")]
TWO_TIERS = POLICY.replace(
    TIER, TIER.replace("low:", "low:\n    level: 1") + TIER.replace("low:", "high:\n    level: 2")
)


def card(house: House, **changes: Any) -> None:
    house.params = Params.model_validate(PARAMS | {"use_case": PARAMS["use_case"] | changes})  # type: ignore[dict-item]


@pytest.mark.attack(rights="approver", stopped="an approval of data names the use case and the tier it is for")
@pytest.mark.parametrize(
    "changes",
    [
        {"name": "dismissals"},
        {"problem": "Whom shall we dismiss?"},
        {"users": ["the board"]},
        {"approved_uses": ["a", "rank employees for dismissal"]},
    ],
    ids=["another name", "another problem", "other users", "other uses"],
)
def test_an_approval_of_data_is_for_its_use_case_alone(house: House, changes: dict[str, Any]) -> None:
    put(house.layout, dataset({"a": origin(222, approved_uses=["a", "rank employees for dismissal"])}))
    first = house.ask(run="run-1")
    house.decide(first, "owner")
    assert house.judge(house.ask(run="run-2")).state == "passed", "the same use case"
    card(house, **changes)
    other = house.ask(run="run-3")
    assert house.judge(other).state == "waiting"
    assert "it was made for use case triage" in house.why_not(other)


@pytest.mark.attack(rights="approver", stopped="an approval of data names the use case and the tier it is for")
def test_an_approval_of_data_carries_over_to_no_higher_tier(house: House) -> None:
    reload(house, TWO_TIERS)
    house.decide(house.ask(run="run-1"), "owner")
    card(house, risk_tier="high")
    higher = house.ask(run="run-2")
    assert "made in risk tier low, and this run is in high, which is no lower one" in house.why_not(higher)
    house.decide(higher, "owner")
    card(house, risk_tier="low")
    assert house.judge(house.ask(run="run-3")).state == "passed"


def test_what_was_approved_in_a_higher_tier_counts_in_a_lower_one(house: House) -> None:
    reload(house, TWO_TIERS)
    card(house, risk_tier="high")
    house.decide(house.ask(run="run-1"), "owner")
    card(house, risk_tier="low")
    assert house.judge(house.ask(run="run-2")).state == "passed"


@pytest.mark.attack(rights="approver", stopped="a rejection is about the data, whatever the use-case card says")
def test_a_rejection_is_not_shed_by_another_card(house: House) -> None:
    house.decide(house.ask(run="run-1"), "owner", "reject")
    card(house, problem="the same in other words")
    asked = house.ask(run="run-2")
    assert "owner rejected the same output in run run-1" in house.judge(asked).waiting_for[0]


@pytest.mark.attack(rights="approver", stopped="a decision says of its use case and tier what its evidence says")
@pytest.mark.parametrize("claim", [{"purpose_sha256": "0" * 64}, {"tier": "high"}, {"use_case": "dismissals"}])
def test_a_decision_that_claims_another_use_case_or_tier_does_not_count(house: House, claim: dict[str, str]) -> None:
    asked = house.ask()
    plant(house, asked, "owner", **claim)
    assert "another use case or risk tier than it says" in house.why_not(asked)


@pytest.mark.parametrize(
    ("levels", "told"),
    [
        (("1", "1"), "each needs a `level` of its own"),
        (("", "2"), "each needs a `level`"),
        (("0", "1"), "greater than"),
    ],
)
def test_tiers_say_which_is_higher(house: House, levels: tuple[str, str], told: str) -> None:
    low, high = (f"level: {level}" if level else "scheduler: true" for level in levels)
    with pytest.raises(InputError, match=told):
        reload(house, TWO_TIERS.replace("level: 1", low).replace("level: 2", high))


def test_a_use_is_allowed_in_the_same_words() -> None:
    assert unapproved_uses(["Sort  messages"], {"tickets": ["train", "sort messages"]}) == []
    assert unapproved_uses(["sort messages", "rank people"], {"tickets": ["sort messages"], "mails": []}) == [
        "tickets is not approved for 'rank people' (approved: 'sort messages')",
        "mails is not approved for 'sort messages' (approved: nothing)",
        "mails is not approved for 'rank people' (approved: nothing)",
    ]


@pytest.mark.attack(rights="approver", stopped="every source's owner has approved every use of the use case")
def test_a_use_that_an_owner_has_not_approved_fails_the_data_gate_in_every_tier(house: House) -> None:
    card(house, approved_uses=["a", "rank employees for dismissal"])
    put(house.layout, dataset({"b": origin(222, approved_uses=["a", "rank employees for dismissal"]), "a": origin(50)}))
    reload(house, POLICY.replace("max_days: 30}", "max_days: 30, checks: [enough rows]}"))
    asked = house.ask()
    (wanted,) = [text for text in house.judge(asked).waiting_for if "check" in text]
    assert "a is not approved for 'rank employees for dismissal' (approved: 'a', 'triage')" in wanted
    assert "policy lets nobody waive it" in wanted and "b is not" not in wanted
    with pytest.raises(Refused, match="policy lets nobody waive"):
        expires = house.ledger.now().replace(year=house.ledger.now().year + 1)
        house.decide(asked, "both", "waive", role="risk", checks=[CHECK_NAMES_OF_EVERY_TIER["data"]], expires=expires)
    reload(house, POLICY.replace("max_days: 30}", f"max_days: 400, checks: [{CHECK_NAMES_OF_EVERY_TIER['data']}]}}"))
    again = house.ask()
    house.decide(again, "both", "waive", role="risk", checks=[CHECK_NAMES_OF_EVERY_TIER["data"]], expires=expires)
    house.decide(again, "owner")
    assert house.judge(again).state == "passed"


METRIC = {"name": "right", "fact": "evaluate.exact_match", "at_least": 0.7}
BEFORE = PromotedCriteria(
    release="triage-1",
    bar=AcceptanceCriteria(
        success_metrics=[SuccessMetric.model_validate(METRIC)], confidence=0.95, base_rows=400, judged_by="json intent"
    ),
)


@pytest.mark.attack(rights="approver", stopped="success metrics are compared with those of the version adopted last")
@pytest.mark.parametrize("metric", [METRIC | {"at_least": 0.0}, METRIC | {"fact": "evaluate.rows", "at_least": 0}])
def test_a_success_metric_that_asks_less_fails_the_evaluation_gate(house: House, metric: dict[str, Any]) -> None:
    put_result(house.layout.artefacts("evaluate"), exact_match={"value": 0.8, "low": 0.75, "high": 0.85}, rows=9)
    card(house, success_metrics=[metric])
    asked = gates.open_gate(house.ledger, house.collect("evaluation", adopted=BEFORE))
    standing = house.judge(asked)
    assert standing.state == "failed", "policy lets nobody waive it here"
    assert "'right' (evaluate.exact_match) at least 0.7 becomes" in standing.waiting_for[0]


@pytest.mark.attack(rights="worker", stopped="checks of every tier are worked out again from what the evidence holds")
@pytest.mark.parametrize(
    "change",
    [
        lambda e: e["checks"].pop(1),
        lambda e: e["facts"]["use_case.laxer_metrics"].update(value=0),
        lambda e: e["facts"].pop("use_case.laxer_metrics"),
        lambda e: (
            e["facts"]["use_case.laxer_metrics"].update(value=0),
            e["checks"][1].update(value=0, verdict="passed"),
        ),
        lambda e: e["bar"].update(success_metrics=[METRIC]),
    ],
    ids=["the check left out", "another figure", "no figure", "both made up", "other metrics than were checked"],
)
def test_evidence_that_denies_a_laxer_metric_is_refused(house: House, change: Any) -> None:
    card(house, success_metrics=[METRIC | {"at_least": 0.0}])
    fields = house.collect("evaluation", adopted=BEFORE).model_dump(mode="json")
    change(fields)
    forged = gates.open_gate(house.ledger, Evidence.model_validate(fields))
    with pytest.raises(Refused, match="not those that policy and the use case ask"):
        house.judge(forged)


def test_a_success_metric_does_not_share_a_name_with_a_check(house: House) -> None:
    for name in ("good enough", CHECK_NAMES_OF_EVERY_TIER["evaluation"]):
        card(house, success_metrics=[METRIC | {"name": name}])
        with pytest.raises(InputError, match="more than one check named"):
            house.collect("evaluation")
