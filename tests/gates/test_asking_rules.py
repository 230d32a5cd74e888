"""Who may ask for a run: each rule, with the words in which it refuses."""

from datetime import UTC, datetime, timedelta

import pytest

from tasks.core.errors import InputError, Refused
from tasks.gates.rules import run_request
from tests.governed.house import POLICY, House, reload

ASKED = POLICY.replace("  low:\n", "  low:\n    requesters: [engineer]\n")
TEAMS = (
    POLICY
    + """\
teams:
  claims: {use_cases: [triage], people: [asker], risk_tiers: [low]}
  support: {use_cases: [letters], people: [lead, asker], risk_tiers: [experiment]}
"""
)


@pytest.mark.parametrize(
    ("rule", "who", "word"),
    [
        (run_request.refuse_unknown_requester, "stranger", "stranger is not in people.yaml"),
        (run_request.refuse_without_role, "gone", "gone held no role on"),
        (run_request.refuse_demo_identity, "demo-owner", "is a demo identity, which counts in environment local alone"),
        (run_request.refuse_for_tier, "lead", "takes engineer; lead holds ml-lead"),
        (run_request.refuse_for_tier, "scheduler", "does not let the scheduler"),
    ],
)
def test_each_rule_refuses_in_its_words(house: House, rule: object, who: str, word: str) -> None:
    reload(house, ASKED)
    policy = house.governance.policy.model_copy(update={"environment": "staging"})
    person, now = house.governance.people.get(who), datetime.now(UTC)
    case = run_request.RequestClaim(who, person, "low", "triage", policy, now)
    assert next(each for each in run_request.RULES if each(case)) is rule
    assert word in str(run_request.refusal_reason(who, "low", "triage", policy, house.governance.people, now))


def test_a_role_counts_at_the_moment_that_is_asked_about(house: House) -> None:
    governed, ended = house.governance, datetime(2026, 1, 1, tzinfo=UTC)
    assert (
        run_request.refusal_reason(
            "gone", "low", "triage", governed.policy, governed.people, ended - timedelta(seconds=1)
        )
        is None
    )
    assert run_request.refusal_reason("gone", "low", "triage", governed.policy, governed.people, ended)
    assert run_request.refusal_reason("asker", "low", "triage", governed.policy, governed.people, ended) is None
    with pytest.raises(InputError, match="risk tier 'high' is not in policy"):
        run_request.refusal_reason("asker", "high", "triage", governed.policy, governed.people, ended)


@pytest.mark.parametrize(
    ("who", "use_case", "tier", "word"),
    [
        ("asker", "triage", "low", None),
        ("lead", "triage", "low", "use case triage is of team claims, and lead is not; its people are asker"),
        ("asker", "triage", "experiment", "policy lets team claims have runs of risk tier low, not of experiment"),
        ("asker", "letters", "low", "policy lets team support have runs of risk tier experiment, not of low"),
        ("asker", "other", "low", "use case other belongs to no team"),
        ("scheduler", "letters", "experiment", "does not let the scheduler"),
    ],
)
def test_a_team_restricts_who_asks_and_in_which_tiers(
    house: House, who: str, use_case: str, tier: str, word: str | None
) -> None:
    reload(house, TEAMS)
    policy, people, now = house.governance.policy, house.governance.people, datetime.now(UTC)
    told = run_request.refusal_reason(who, tier, use_case, policy, people, now)
    assert word in told if word and told else told is None and word is None


def test_the_scheduler_asks_for_every_team_that_has_the_tier(house: House) -> None:
    reload(house, TEAMS.replace("  low:\n", "  low:\n    scheduler: true\n", 1))
    policy, people, now = house.governance.policy, house.governance.people, datetime.now(UTC)
    assert run_request.refusal_reason("scheduler", "low", "triage", policy, people, now) is None
    assert "not of low" in str(run_request.refusal_reason("scheduler", "low", "letters", policy, people, now))


@pytest.mark.attack(rights="approver", stopped="a gate judges again who asked for the run, under the policy in force")
def test_a_gate_does_not_open_for_a_run_that_somebody_outside_of_the_team_asked_for(house: House) -> None:
    reload(house, TEAMS.replace("people: [asker], risk", "people: [lead], risk", 1))
    with pytest.raises(Refused, match="use case triage is of team claims, and asker is not"):
        house.settle(house.ask())
