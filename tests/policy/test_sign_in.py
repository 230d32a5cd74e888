"""Accounts of providers in people.yaml: each is one person's, and a change of them is told before it is signed."""

from typing import Any

import pytest
from pydantic import ValidationError

from tasks.policy import differences
from tasks.policy.people import People
from tasks.policy.policy import Policy

ISSUER = "https://login.example.com/realm"


def people(*accounts: dict[str, Any] | None) -> People:
    """Somebody for each account, who has it."""
    own = [{"sign_in": [each]} if each else {} for each in accounts]
    return People.model_validate(
        {"people": [{"id": f"p{i}", "name": f"P {i}", "roles": ["risk"], **each} for i, each in enumerate(own)]}
    )


def account(issuer: str = ISSUER, subject: Any = "2482") -> dict[str, Any]:
    return {"issuer": issuer, "subject": subject}


def test_an_account_is_of_one_issuer_and_one_person() -> None:
    known = people(account(), account("https://login.example.com"), None)
    assert (known.find_by_account(ISSUER, "2482"), known.find_by_account(ISSUER, "2483")) == (known.people[0], None)
    assert known.find_by_account("https://login.example.com", "2482") == known.people[1]
    with pytest.raises(ValidationError, match="each account at a provider stands here once"):
        people(account(), account())


@pytest.mark.parametrize(
    "wrong",
    [
        account("http://login.example.com"), account("https://a?b"), account("login.example.com"), account("https://"),
        account(subject=""), account(subject="a b"), account(subject="x" * 256), account(subject=2482),
        account() | {"email": "a@example.com"},
    ],
)  # fmt: skip
def test_what_is_no_account_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        people(wrong)


def test_a_change_of_accounts_is_told() -> None:
    policy = Policy.model_validate({"environment": "local", "tiers": {"experiment": {"gates": {}}}})
    assert list(
        differences.describe_differences(policy, people(account()), policy, people(account(subject="7"), account()))
    ) == [
        f"person p0: sign-in as 2482 of {ISSUER} is taken out",
        f"person p0: sign-in as 7 of {ISSUER} is added, for what comes after",
        "person p1 is added: P 1, risk",
        f"person p1: sign-in as 2482 of {ISSUER} is added",
    ]
