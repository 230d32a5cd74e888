"""Who may ask for a run: each rule, with the words in which it refuses."""

from datetime import UTC, datetime, timedelta

import pytest

from tasks.core.errors import InputError
from tasks.gates.rules import run_request
from tests.governed.house import POLICY, House, reload

ASKED = POLICY.replace("  low:\n", "  low:\n    requesters: [engineer]\n")


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
    case = run_request.RequestClaim(who, person, "low", policy, now)
    assert next(each for each in run_request.RULES if each(case)) is rule
    assert word in str(run_request.refusal_reason(who, "low", policy, house.governance.people, now))


def test_a_role_counts_at_the_moment_that_is_asked_about(house: House) -> None:
    governed, ended = house.governance, datetime(2026, 1, 1, tzinfo=UTC)
    assert (
        run_request.refusal_reason("gone", "low", governed.policy, governed.people, ended - timedelta(seconds=1))
        is None
    )
    assert run_request.refusal_reason("gone", "low", governed.policy, governed.people, ended)
    assert run_request.refusal_reason("asker", "low", governed.policy, governed.people, ended) is None
    with pytest.raises(InputError, match="risk tier 'high' is not in policy"):
        run_request.refusal_reason("asker", "high", governed.policy, governed.people, ended)
