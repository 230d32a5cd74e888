"""Versions of the code: who signs one off, who takes it back, and what counts of that."""

from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.code_versions import sign_off, signed_version
from tasks.code_versions.signed_version import ENTRY_KIND, CodeVersion
from tasks.core.errors import InputError, Refused
from tasks.trust import dsse
from tests.governed.house import COMMIT, PEOPLE, POLICY, House, keyed, reload

TREE, OTHER = "a" * 64, "b" * 64
TWO = "code: [{role: risk}, {role: ml-lead}]"


def outside(house: House, code: str = "code: [{role: risk}]") -> None:
    policy = POLICY.replace("environment: local", "environment: production").replace("code: [{role: risk}]", code)
    reload(house, policy, keyed(PEOPLE, house.state))


def sign(house: House, who: str, withdraw: bool = False, tree: str = TREE) -> None:
    sign_off.sign_version(house.ledger, house.governance, who, tree, COMMIT, "looked at it", withdraw)


def require(house: House, tree: str = TREE) -> None:
    sign_off.require_signed_off(house.ledger, house.governance, tree, COMMIT)


def text(house: House) -> str:
    return sign_off.sign_off_status(house.ledger, house.governance, TREE).description


@pytest.mark.attack(rights="commit", stopped="a governed run is made of code that the roles of policy signed off")
def test_outside_local_a_version_counts_once_everybody_has_signed(house: House) -> None:
    outside(house, TWO)
    told = f"commit {COMMIT[:12]} is no version that was signed off: it lacks the signature of somebody in role risk"
    with pytest.raises(Refused, match=told):
        require(house)
    sign(house, "risk-one")
    with pytest.raises(Refused, match="in role ml-lead; who reviewed it says so with: hallmark code adopt"):
        require(house)
    sign(house, "lead")
    require(house)
    assert text(house) == "signed off by lead, risk-one"
    with pytest.raises(Refused):
        require(house, OTHER)


def test_each_role_takes_people_of_its_own(house: House) -> None:
    outside(house, "code: [{role: risk}, {role: data-owner}]")
    sign(house, "both")
    assert "data-owner" in text(house) or "risk" in text(house), "one who holds both roles fills one"
    sign(house, "owner")
    require(house)


def test_in_local_any_version_counts_and_its_standing_is_told(house: House) -> None:
    require(house)
    assert text(house) == "it lacks the signature of somebody in role risk"
    sign(house, "risk-one")
    assert text(house) == "signed off by risk-one"
    reload(house, POLICY.replace(", code: [{role: risk}]", ""))
    assert text(house) == "signed off by nobody: policy names nobody for it"
    with pytest.raises(InputError, match="policy names nobody who signs code off; say under `changes` who does"):
        sign(house, "risk-one")


def test_twice_by_one_person_is_once(house: House) -> None:
    for _ in range(2):
        sign(house, "risk-one")
    assert len(house.ledger.entries(ENTRY_KIND, TREE)) == 1


def test_whoever_may_sign_may_take_back_what_others_signed_and_it_may_be_signed_again(house: House) -> None:
    outside(house)
    with pytest.raises(Refused, match="nobody has signed this version off, so there is nothing to take back"):
        sign(house, "both", withdraw=True)
    sign(house, "risk-one")
    sign(house, "both", withdraw=True)
    with pytest.raises(Refused, match=r"both took it back on .* UTC \(looked at it\)"):
        require(house)
    sign(house, "risk-one")
    require(house)


@pytest.mark.attack(rights="database", stopped="each signature under a version counts once")
def test_a_sign_off_that_is_appended_again_after_a_withdrawal_stays_void(house: House) -> None:
    outside(house)
    sign(house, "risk-one")
    sign(house, "both", withdraw=True)
    old, withdrawal = house.ledger.entries(ENTRY_KIND, TREE)
    house.ledger.append(ENTRY_KIND, TREE, old.body)
    with pytest.raises(Refused, match="both took it back"):
        require(house)
    sign(house, "risk-one")
    house.ledger.append(ENTRY_KIND, TREE, withdrawal.body)
    require(house)


@pytest.mark.attack(rights="approver", stopped="a withdrawal counts whatever became of whoever withdrew")
def test_a_withdrawal_outlasts_the_role_and_the_person(house: House) -> None:
    outside(house)
    sign(house, "risk-one")
    sign(house, "both", withdraw=True)
    without = PEOPLE.replace("  - {id: both, name: Two hats, roles: [data-owner, risk]}\n", "")
    policy = POLICY.replace("environment: local", "environment: production").replace("count: 2", "count: 1")
    reload(house, policy, keyed(without, house.state))
    with pytest.raises(Refused, match="both took it back"):
        require(house)


def test_a_policy_of_before_asks_for_one_that_names_who_signs(house: House) -> None:
    outside(house)
    policy = house.governance.policy
    of_before = policy.model_copy(update={"changes": policy.changes.model_copy(update={"code": []})})
    house.governance = replace(house.governance, policy=of_before)
    with pytest.raises(Refused, match="the policy in force names nobody who signs code off, which environment prod"):
        require(house)


def test_who_may_not(house: House) -> None:
    with pytest.raises(Refused, match="owner holds data-owner; a version of the code is signed off by risk"):
        sign(house, "owner")
    with pytest.raises(InputError, match="'nobody' is nobody in people"):
        sign(house, "nobody")
    outside(house)
    with pytest.raises(Refused, match="demo-risk is a demo identity"):
        sign(house, "demo-risk")


@pytest.mark.attack(rights="database", stopped="a version counts by the signature of who held the role, for that tree")
@pytest.mark.parametrize(
    ("key", "said", "subject"),
    [
        ("owner", {"person": "risk-one"}, TREE),
        ("owner", {"person": "owner"}, TREE),
        ("gate", {"person": "gate"}, TREE),
        ("risk-one", {"environment": "staging"}, TREE),
        ("risk-one", {"tree_sha256": OTHER}, TREE),
        ("risk-one", {}, OTHER),
    ],
    ids=["another's key", "no role", "a machine", "another environment", "another tree", "another subject"],
)
def test_an_entry_that_says_so_is_no_signature(house: House, key: str, said: dict, subject: str) -> None:
    outside(house)
    version = signed("risk-one", house.ledger.now()).model_copy(update=said)
    statement = dsse.make_statement(signed_version.PREDICATE_TYPE, {"tree": subject}, version.json_value)
    house.ledger.append(ENTRY_KIND, TREE, {"envelope": dsse.sign_statement(statement, house.key(key))})
    house.ledger.append(ENTRY_KIND, TREE, {"envelope": None})
    with pytest.raises(Refused, match="no version that was signed off"):
        require(house)


def signed(who: str, time: datetime) -> CodeVersion:
    return CodeVersion(
        verb="adopt", tree_sha256=TREE, commit=COMMIT, environment="production", person=who, reason="x", time=time
    )


@pytest.mark.attack(rights="commit", stopped="code that nobody signed off reads public sources alone, in any tier")
@pytest.mark.parametrize(
    ("tier", "read", "asked"),
    [
        ("low", [("public", "data.csv")], True), ("experiment", [("public", "data.csv")], False),
        ("experiment", [("public", "data.csv"), ("internal", "data.csv")], True), ("experiment", [], False),
        ("experiment", [("public", "s3://bucket/data.csv")], True),
    ],
)  # fmt: skip
def test_an_experiment_with_sources_that_are_not_public_needs_it_too(
    house: House, tier: str, read: list[tuple[str, str]], asked: bool
) -> None:
    """Or that lie in a store, whose keys its code has."""
    named: Any = [SimpleNamespace(kind="csv", classification=it, location=location) for it, location in read]
    assert sign_off.is_sign_off_required(house.governance, tier, named) is asked
