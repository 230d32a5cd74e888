"""The rules of decisions hold offline too, in a bundle that somebody built who has the gate's key and a person's help.

Each bundle is of a release that was rightly promoted. One decision in it is made anew by somebody with a key that
counts, and the statement over everything is signed again with the gate's.
"""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tasks.core.json_text import canonical_json
from tasks.gates import decisions, gates, signed_decision, statement
from tasks.gates.signed_decision import Decision
from tasks.policy import adoption
from tasks.registry.promote import releases
from tasks.registry.release import bundle
from tasks.registry.release.promotions import Promotion
from tasks.registry.verify import verification
from tasks.trust import dsse
from tasks.trust.keys import Signer
from tests.governed.authenticator import Authenticator
from tests.registry.conftest import After
from tests.registry.forging import resign
from tests.registry.house import DECIDERS, House, copy

PEOPLE_OF_TWO_ROLES = {
    "Engineer, roles: [requester]": "Engineer, roles: [requester, risk]",
    "Product owner, roles: [product-owner]": "Product owner, roles: [product-owner, risk]",
    "Risk officer, roles: [risk]": "Risk officer, roles: [risk, product-owner]",
}


def promoted(folder: Path) -> Promotion:
    return Promotion.model_validate(
        dsse.unverified_statement(dsse.read_envelope(folder / bundle.PROMOTION_STATEMENT))["predicate"]
    )


def decided_anew(house: House, folder: Path, gate: str, who: str, number: int = 1, signer: Signer | None = None,
                 **changes: Any) -> None:  # fmt: skip
    """Put another decision in the place of one, signed by whoever it names, and sign the release again."""
    path = folder / f"{bundle.ATTESTATIONS}/decisions/{gate}/{number:02}.json"
    told = dsse.unverified_statement(dsse.read_envelope(path))
    said = Decision.model_validate(told["predicate"] | {"person": who} | changes)
    about = dsse.subject_digests(told)
    evidence = about.pop(f"evidence/{gate}.json")
    ((stage, subject),) = about.items()
    anew = signed_decision.decision_statement(said, stage, subject, evidence)
    dsse.write_envelope(path, dsse.sign_statement(anew, signer or house.key(who)))
    approved = promoted(folder).approved_by
    if said.verb == "approve":
        approved = approved | {gate: [f"{who} as {said.role}"]}
    resign(house, folder, approved_by=approved)


def against(house: House, folder: Path) -> str:
    """Why it is invalid, which it is outside and inside for one reason."""
    outside = verification.verify_from_root(folder, house.root_of_trust)
    inside = releases.verify_release(folder, house.governance)
    assert (outside.verdict, inside.verdict) == ("invalid", "invalid"), (outside.against, inside.against)
    assert outside.against == inside.against
    return outside.against


def checked(house: House) -> Path:
    """Its release, which checks, outside and inside, copied to where it can be written to."""
    folder = copy(house.bundle(), house.root / "copied")
    for found in (
        verification.verify_from_root(folder, house.root_of_trust),
        releases.verify_release(folder, house.governance),
    ):
        assert found.verdict == "valid", found.against
    return folder


def of_two_roles(text: str) -> str:
    for old, new in PEOPLE_OF_TWO_ROLES.items():
        assert old in text
        text = text.replace(old, new)
    return text


def release_waived(house: House) -> None:
    house.release_waived("run-1", house.ledger.now() + timedelta(days=20))


@pytest.fixture
def waived(after: After) -> tuple[House, Path, datetime]:
    """A release whose evaluation fell short, which the risk officer waived for 20 days; and when it was promoted."""
    house = after(release_waived)
    folder = checked(house)
    return house, folder, promoted(folder).time


def release_of_two_roles(house: House) -> None:
    house.adopt(of_two_roles, "people.yaml")
    house.release("run-1")


@pytest.fixture
def two_roles(after: After) -> House:
    """A house with a release, where people got a second role by an adoption before."""
    return after(release_of_two_roles)


def before_the_adoption(house: House) -> datetime:
    return adoption.read_adoption(house.governance.chain[-1]).time - timedelta(milliseconds=1)


def number_of_the_waiver(folder: Path) -> int:
    place = folder / f"{bundle.ATTESTATIONS}/decisions/evaluation"
    verbs = [
        dsse.unverified_statement(dsse.read_envelope(path))["predicate"]["verb"] for path in sorted(place.iterdir())
    ]
    return 1 + verbs.index("waive")


@pytest.mark.attack(rights="gate key", stopped="policy's longest waiver, applied again in the bundle")
@pytest.mark.parametrize(
    ("signed", "expires", "told"),
    [
        (0, 31, "may last 30 days"),
        (10, 39, "it says that it was signed on"),
        (-40, -11, "the waiver expired on"),
    ],
    ids=["of 31 days", "of 29 days, dated ahead", "of 29 days, over when it was promoted"],
)
def test_a_waiver_longer_than_policy_allows(
    waived: tuple[House, Path, datetime], signed: int, expires: int, told: str
) -> None:
    house, folder, at = waived
    times = {"time": at + timedelta(days=signed), "expires": at + timedelta(days=expires)}
    decided_anew(house, folder, "evaluation", "risk-officer", number_of_the_waiver(folder), **times)
    assert told in against(house, folder)


@pytest.mark.attack(rights="gate key", stopped="policy's roles for waivers, applied again in the bundle")
def test_a_waiver_by_a_role_that_may_not(waived: tuple[House, Path, datetime]) -> None:
    house, folder, _ = waived
    decided_anew(house, folder, "evaluation", "product", number_of_the_waiver(folder), role="product-owner")
    assert "gate evaluation does not ask role product-owner to waive; it asks risk" in against(house, folder)


@pytest.mark.attack(rights="gate key", stopped="separation of duties, applied again in the bundle")
def test_one_person_in_two_roles_where_policy_forbids_that(house: House) -> None:
    house.adopt(of_two_roles, "people.yaml")
    house.adopt(lambda text: text.replace("  low:\n", "  low:\n    separation: {two_roles: false}\n"))
    house.release("run-1")
    folder = checked(house)
    decided_anew(house, folder, "evaluation", "risk-officer")
    assert "a decision of risk-officer at gate release does not count" in against(house, folder)


@pytest.mark.attack(rights="gate key", stopped="nobody decides on a run of their own, also in a bundle")
def test_a_decision_by_who_asked_for_the_run(two_roles: House) -> None:
    folder = checked(two_roles)
    decided_anew(two_roles, folder, "release", "engineer")
    assert "engineer asked for run run-1; nobody decides on their own run" in against(two_roles, folder)


@pytest.mark.attack(rights="gate key", stopped="what an adoption adds counts from its own time on")
def test_a_decision_from_before_the_role_was_given(two_roles: House) -> None:
    before = before_the_adoption(two_roles)
    folder = checked(two_roles)
    decided_anew(two_roles, folder, "release", "product")
    assert "results/release.json says something else" in against(two_roles, folder), "from then on the decision counts"
    decided_anew(two_roles, folder, "release", "product", time=before)
    assert "product did not hold role risk on" in against(two_roles, folder)


@pytest.mark.attack(rights="gate key", stopped="what an adoption adds counts from its own time on")
def test_people_without_since_when_they_count(two_roles: House) -> None:
    """people.json as the file says it, where an adoption gave the role: it is the adoptions that count."""
    before = before_the_adoption(two_roles)
    folder = checked(two_roles)
    path = folder / f"{bundle.ATTESTATIONS}/people.json"
    people = json.loads(path.read_bytes())
    for person in people:
        for role in person["roles"]:
            role["valid_after"] = None
    path.write_bytes(canonical_json(people))
    decided_anew(two_roles, folder, "release", "risk-officer", time=before)
    assert "people.json says something else of" in against(two_roles, folder)


@pytest.mark.attack(rights="gate key", stopped="the key that signed is the one that policy asks for, also in a bundle")
def test_a_decision_by_another_key_than_one_in_hardware(house: House) -> None:
    token, soft = Authenticator(), house.key("risk-officer")
    held = f"Risk officer, keys: ['{soft.public_line}', '{token.line}'],"
    house.adopt(lambda text: text.replace("Risk officer,", held, 1), "people.yaml")
    house.adopt(lambda text: text.replace("release:\n", "release:\n        signature: hardware\n"))
    layout = house.ready("run-1", skip=["release"])
    asked, hard = house.ask(layout, "release"), Signer(token.line, token.sign)
    decisions.decide(house.ledger, house.governance, asked, DECIDERS["release"], "approve", "seen", signer=hard)
    statement.write_gate_statement(
        layout, asked, gates.judge_and_close(house.ledger, house.governance, asked), house.governance
    )
    folder = copy(house.bundle(house.promote(layout).label), house.root / "copied")
    assert verification.verify_from_root(folder, house.root_of_trust).verdict == "valid"
    token.flags = 0
    decided_anew(house, folder, "release", "risk-officer", signer=hard)
    assert "the signature does not match" in against(house, folder)
    decided_anew(house, folder, "release", "risk-officer", signer=soft)
    assert f"risk-officer signs with {house.governance.people.get('risk-officer').keys[0].fingerprint}" in against(
        house, folder
    )
