"""What may take a champion's place: of its own risk tier or a higher one, and held to no less."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import Refused
from tasks.declarations import criteria
from tasks.gates.evidence import Evidence
from tasks.policy.gate_rules import CHECK_NAMES_OF_EVERY_TIER
from tasks.registry.promote import champion, rollback
from tasks.registry.release import promotions
from tasks.registry.release.promotions import Replaced
from tests.registry.conftest import After
from tests.registry.forging import resign, rewrite
from tests.registry.house import NAME, PARAMS, POLICY, House, copy
from tests.registry.test_offline_rules import against, decided_anew, promoted

TIER = POLICY[POLICY.index("  low:") : POLICY.index("changes:")]
GLASS = "\n    break_glass: {role: risk, confirm_role: product-owner, confirm_hours: 4}"
METRICS: list[dict[str, Any]] = PARAMS["use_case"]["success_metrics"]  # type: ignore[index]
LAXER = [METRICS[0] | {"at_least": 0.0}, *METRICS[1:]]


def two_tiers(text: str) -> str:
    low, high = (
        TIER.replace("low:", f"{name}:\n    level: {level}{GLASS}") for name, level in (("low", 1), ("high", 2))
    )
    return text.replace(TIER, low + high)


def of_one_tier(text: str) -> str:
    """The policy without tier high, which nobody can set beside another then."""
    return text[: text.index("  high:")] + text[text.index("changes:") :]


def adopt_two_tiers(house: House) -> None:
    house.adopt(two_tiers)


def release_high(house: House) -> None:
    house.release("run-1", risk_tier="high")


def release_low_and_high(house: House) -> None:
    house.release("run-1", risk_tier="low")
    house.release("run-2", b"second", risk_tier="high")


@pytest.fixture
def tiers(after: After) -> House:
    """Where policy has two tiers."""
    return after(adopt_two_tiers)


@pytest.fixture
def high(after: After) -> House:
    """Where policy has two tiers, and the champion is of the higher."""
    return after(adopt_two_tiers, release_high)


@pytest.fixture
def raised(after: After) -> House:
    """Where a champion of the higher tier took the place of one of the lower."""
    return after(adopt_two_tiers, release_low_and_high)


def served(house: House) -> str:
    found = champion.current_champion(house.ledger, house.governance, NAME)
    assert found is not None
    return f"{found.label} {found.tier}"


@pytest.mark.attack(rights="approver", stopped="a champion is replaced from its own risk tier or a higher one alone")
def test_a_run_of_a_lower_tier_replaces_no_champion(high: House) -> None:
    with pytest.raises(Refused, match="champion in risk tier high, and only the same tier or a higher one"):
        high.release("run-2", b"other", risk_tier="low")
    assert served(high) == "triage-1 high"


@pytest.mark.attack(rights="approver", stopped="a champion is replaced from its own risk tier or a higher one alone")
@pytest.mark.parametrize("broken", [False, True], ids=["by an order", "by breaking the glass"])
def test_nor_does_a_rollback(raised: House, broken: bool) -> None:
    assert served(raised) == "triage-2 high", "a higher tier may"
    with pytest.raises(Refused, match="triage-2 is the champion in risk tier high"):
        rollback.rollback(raised.ledger, raised.governance, "triage-1", "risk-officer", "older", break_glass=broken)
    assert served(raised) == "triage-2 high"


def test_a_tier_that_policy_has_no_more_is_replaced_by_nobody_elses(high: House) -> None:
    high.adopt(of_one_tier)
    with pytest.raises(Refused, match="does not set beside high"):
        high.release("run-2", b"other")
    high.adopt(lambda text: two_tiers(text.replace("    level: 1" + GLASS + "\n", "")))
    assert high.release("run-3", b"another", risk_tier="high").label == "triage-2"


@pytest.mark.attack(rights="gate key", stopped="the statement names the tier of the champion that it replaced")
def test_a_release_that_replaced_a_higher_tier_does_not_verify(tiers: House) -> None:
    tiers.release("run-1")
    tiers.release("run-2", b"other")
    folder = copy(tiers.bundle("triage-2"), tiers.root / "copied")
    assert promoted(folder).replaces == Replaced(release="triage-1", tier="low")
    resign(tiers, folder, replaces=Replaced(release="triage-1", tier="high"))
    assert against(tiers, folder) == "it replaced triage-1 of risk tier high, and its own, low, is lower"


@pytest.mark.attack(rights="gate key", stopped="the statement before it says which release was replaced")
def test_a_statement_that_hides_which_tier_it_replaced_counts_for_nothing(high: House) -> None:
    newest = promotions.read_promotions(high.ledger, high.governance, NAME).valid_statements[-1]
    hiding = newest.promotion.model_copy(
        update={"tier": "low", "sequence": 2, "previous": newest.sha256, "replaces": None, "time": high.ledger.now()}
    )
    envelope = promotions.sign_promotion(hiding, newest.release_sha256, high.governance)
    high.ledger.append(promotions.PROMOTION_KIND, NAME, {"envelope": envelope})
    found = promotions.read_promotions(high.ledger, high.governance, NAME)
    assert found.newest_statement is not None and found.newest_statement.sha256 == newest.sha256
    assert "replaces another release than the one before it" in found.problems[0]


def evaluated(house: House, run: str, weights: bytes, demo: bool = False, **card: object) -> Evidence:
    layout = house.begin(run, weights, demo=demo, **card)
    house.open(layout, "data")
    return house.ask(layout, "evaluation")


def standing(found: Evidence) -> str:
    """What the check of laxer metrics found."""
    (check,) = [check for check in found.checks if check.name == CHECK_NAMES_OF_EVERY_TIER["evaluation"]]
    assert (check.verdict == "failed") == bool(check.why)
    return check.why


@pytest.mark.attack(rights="approver", stopped="success metrics are compared with those of the version adopted last")
def test_a_requester_lowers_no_success_metric(released: House) -> None:
    assert "low end at least 0.7 becomes low end at least 0" in standing(
        evaluated(released, "run-2", b"other", success_metrics=LAXER)
    )
    with pytest.raises(Refused, match="evaluation"):
        released.release("run-3", b"another", success_metrics=LAXER)


@pytest.mark.attack(rights="approver", stopped="a waiver of a laxer metric lowers nothing for the next version")
def test_a_waived_metric_does_not_become_what_the_next_version_is_held_to(released: House) -> None:
    until = released.ledger.now() + timedelta(days=20)
    released.promote(released.ready_waived("run-2", until, weights=b"other", facts=None, success_metrics=LAXER))
    again = evaluated(released, "run-3", b"another", success_metrics=LAXER)
    assert again.adopted is not None and again.adopted.release == "triage-2"
    assert "low end at least 0.7 becomes low end at least 0" in standing(again)


@pytest.mark.attack(rights="approver", stopped="going back to an earlier release lowers nothing for the next version")
def test_a_rollback_lowers_no_success_metric(released: House) -> None:
    stricter = [METRICS[0] | {"at_least": 0.74}, *METRICS[1:]]
    released.release("run-2", b"other", success_metrics=stricter)
    rollback.rollback(released.ledger, released.governance, "triage-1", "risk-officer", "older")
    assert served(released) == "triage-1 low"
    assert "0.74 becomes low end at least 0.7" in standing(evaluated(released, "run-3", b"another"))


def test_what_demo_identities_let_through_binds_demo_runs_alone(released: House) -> None:
    stricter = [METRICS[0] | {"at_least": 0.74}, *METRICS[1:]]
    released.release("run-2", b"other", demo=True, success_metrics=stricter)
    assert standing(evaluated(released, "run-3", b"another")) == ""
    assert "0.74 becomes" in standing(evaluated(released, "run-4", b"a third", demo=True))


@pytest.mark.attack(rights="worker", stopped="promotion asks the ledger what the version before was held to")
def test_a_run_that_was_held_to_nothing_is_not_promoted(released: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(promotions.Promotions, "success_metrics", lambda self, demo: None)
        layout = released.ready("run-2", b"other", success_metrics=LAXER)
    with pytest.raises(Refused, match="held run run-2 to nothing, and the success metrics of triage-1 counts"):
        released.promote(layout)


@pytest.mark.attack(
    rights="gate key", stopped="what the next version is held to follows from the evaluation's evidence"
)
def test_a_statement_that_holds_the_next_version_to_less_does_not_verify(released: House, folder: Path) -> None:
    resign(
        released,
        folder,
        bar=criteria.AcceptanceCriteria(success_metrics=[], confidence=0.95, base_rows=400, judged_by="json intent"),
    )
    assert "holds the next version to something else" in against(released, folder)


@pytest.mark.attack(
    rights="gate key", stopped="decisions name the use case and the tier, under their person's signature"
)
@pytest.mark.parametrize("claim", [{"purpose_sha256": "0" * 64, "use_case": "dismissals"}, {"tier": "lowest"}])
def test_a_data_approval_for_something_else_does_not_verify(
    released: House, folder: Path, claim: dict[str, str]
) -> None:
    decided_anew(released, folder, "data", "owner", **claim)
    assert "its evidence is about another use case or risk tier than it says" in against(released, folder)


@pytest.mark.attack(rights="gate key", stopped="checks are worked out again from the evidence, offline too")
@pytest.mark.parametrize("drop", [CHECK_NAMES_OF_EVERY_TIER["data"], "enough rows"])
def test_a_check_left_out_of_the_evidence_does_not_verify(released: House, folder: Path, drop: str) -> None:
    rewrite(
        folder / "attestations/evidence/data.json",
        lambda said: said.update(checks=[check for check in said["checks"] if check["name"] != drop]),
    )
    resign(released, folder)
    assert "the evidence's checks are not those that policy and the use case ask" in against(released, folder)
