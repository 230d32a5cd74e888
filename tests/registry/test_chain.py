"""A release carries the adoptions of policy and people, by which keys follow from the root key."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tasks.core.errors import Refused
from tasks.core.json_text import canonical_json
from tasks.policy import adoption, governance
from tasks.registry.promote import releases
from tasks.registry.release import bundle
from tasks.registry.verify import trust, verification
from tasks.trust import dsse, keys
from tests.registry.conftest import After
from tests.registry.forging import resign
from tests.registry.house import House, copy, open_house

FIRST, SECOND, THIRD = (f"{bundle.GOVERNANCE_ADOPTIONS}/{number:04}.json" for number in (1, 2, 3))

Attack = Callable[[House, Path], object]


def release_under_a_second_adoption(house: House) -> None:
    house.adopt(lambda people: people.replace("name: Engineer", "name: Chief engineer"), "people.yaml")
    house.release("run-1")


@pytest.fixture
def changed(after: After) -> House:
    """A house whose triage-1 was promoted under its second adoption, which the risk officer signed."""
    return after(release_under_a_second_adoption)


@pytest.fixture
def folder(changed: House, tmp_path: Path) -> Path:
    return copy(changed.bundle(), tmp_path / "outside")


def against(house: House, folder: Path) -> str:
    """Why the release is not valid from outside, then inside its project."""
    outside = verification.verify_from_root(folder, house.root_of_trust)
    inside = releases.verify_release(folder, house.governance)
    assert (outside.verdict, inside.verdict) == ("invalid", "invalid"), (outside.against, inside.against)
    return f"{outside.against} | {inside.against}"


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    path.write_bytes(canonical_json(json.loads(change(path.read_text("utf-8")))))


def swap(folder: Path) -> None:
    first, second = ((folder / name).read_bytes() for name in (FIRST, SECOND))
    (folder / FIRST).write_bytes(second)
    (folder / SECOND).write_bytes(first)


def adopted_by_the_gate(house: House, folder: Path) -> None:
    """The gate's key adopts a key of its own for the risk officer."""
    before = adoption.read_adoption(dsse.read_envelope(folder / SECOND))
    line = keys.make_public_line(Ed25519PrivateKey.generate())
    told = json.loads(before.people.model_dump_json())
    next(person for person in told["people"] if person["id"] == "risk-officer")["keys"] = [line]
    follows = {"sequence": 3, "previous": adoption.adoption_digest(before)}
    mine = adoption.Adoption.model_validate(before.model_dump(mode="json") | follows | {"people": told})
    dsse.write_envelope(
        folder / THIRD, dsse.sign_statement(adoption.statement_of(mine), house.governance.find_signer("gate"))
    )


def of_another_root(house: House, folder: Path) -> None:
    """Policy and people the same to the last key, under a root key of the attacker's."""
    root = keys.make_signer(Ed25519PrivateKey.generate())
    before = adoption.read_adoption(dsse.read_envelope(folder / SECOND))
    genesis = before.model_copy(update={"sequence": 1, "previous": None, "root": root.public_line})
    (folder / SECOND).unlink()
    dsse.write_envelope(folder / FIRST, dsse.sign_statement(adoption.statement_of(genesis), root))


GATE_KEY: dict[str, tuple[Attack, str]] = {
    "the chain cut short": (
        lambda _, f: (f / SECOND).unlink(),
        r"people.json says something else of engineer than what was adopted \| people.json says",
    ),
    "the genesis left out": (
        lambda _, f: (f / FIRST).unlink(),
        r"adoption 1 .* number 2 .* \| .* adoptions are others",
    ),
    "adoptions in another order": (
        lambda _, f: swap(f),
        r"adoption 1 .* number 2 and does not follow .* \| .* adoptions are others",
    ),
    "adoptions under another root key": (of_another_root, r"it follows from root key .* \| .* adoptions are others"),
    "an adoption by the gate's key": (adopted_by_the_gate, r"adoption 3 .* no key that counted .* \| .* are others"),
    "another policy": (
        lambda _, f: rewrite(f / "attestations/policy.json", lambda p: p.replace('"max_days":30', '"max_days":31')),
        r"policy.json is not the policy that was adopted \| policy.json is not",
    ),
    "another key of a person": (
        lambda h, f: rewrite(
            f / "attestations/people.json",
            lambda p: p.replace(h.key("risk-officer").public_line, h.key("demo-risk").public_line),
        ),
        r"people.json says something else of risk-officer than what was adopted \| people.json says",
    ),
    "another role of a person": (
        lambda _, f: rewrite(f / "attestations/people.json", lambda p: p.replace("product-owner", "risk")),
        r"people.json says something else of product than what was adopted \| people.json says",
    ),
    "somebody whom nobody adopted": (
        lambda _, f: rewrite(f / "attestations/people.json", lambda p: p.replace('"id":"owner"', '"id":"ceo"')),
        r"people.json says something else of ceo than what was adopted \| people.json says",
    ),
}


@pytest.mark.attack(rights="gate key", stopped="policy, people and keys follow from the root key by adoptions")
@pytest.mark.parametrize(("attack", "reason"), GATE_KEY.values(), ids=GATE_KEY.keys())
def test_with_the_gate_key_alone_nothing_else_is_adopted_for_a_release(
    changed: House, folder: Path, attack: Attack, reason: str
) -> None:
    attack(changed, folder)
    resign(changed, folder)
    told = against(changed, folder)
    assert re.search(reason, told), told


@pytest.mark.attack(rights="disk", stopped="the adoptions say which key the gate has")
def test_a_gate_key_that_nobody_adopted_promotes_nothing(changed: House, folder: Path) -> None:
    statement = dsse.unverified_statement(dsse.read_envelope(folder / bundle.PROMOTION_STATEMENT))
    dsse.write_envelope(
        folder / bundle.PROMOTION_STATEMENT,
        dsse.sign_statement(statement, keys.make_signer(Ed25519PrivateKey.generate())),
    )
    assert against(changed, folder).count("the envelope is signed by") == 2


@pytest.mark.attack(rights="disk", stopped="the promotion statement lists every adoption")
def test_no_adoption_can_be_taken_out_or_put_in(changed: House, folder: Path) -> None:
    kept = (folder / SECOND).read_bytes()
    (folder / SECOND).unlink()
    assert against(changed, folder).count(f"missing: {SECOND}") == 2
    (folder / SECOND).write_bytes(kept)
    assert releases.verify_release(folder, changed.governance).ok
    (folder / THIRD).write_bytes(kept)
    assert f"not listed by the promotion statement: {THIRD}" in against(changed, folder)


@pytest.mark.attack(rights="gate key", stopped="a release is not older than what it was promoted under")
def test_a_promotion_dated_before_its_adoption_does_not_verify(changed: House, folder: Path) -> None:
    genesis = adoption.read_adoption(dsse.read_envelope(folder / FIRST))
    resign(changed, folder, time=genesis.time - timedelta(seconds=1))
    assert against(changed, folder).count("promoted before its policy and people were proposed") == 2


def test_what_was_adopted_later_changes_nothing_of_a_release(changed: House, folder: Path) -> None:
    outside = verification.verify_from_root(folder, changed.root_of_trust)
    assert outside.ok and outside.root == changed.root_of_trust, outside.against
    assert "by 2 adoptions" in outside.checks[0].text
    changed.adopt(lambda policy: policy.replace("max_days: 30", "max_days: 20"))
    inside = releases.verify_release(folder, changed.governance)
    assert inside.ok and inside.root == changed.root_of_trust, inside.against
    assert any("are those of adoption 2, of 2" in check.text for check in inside.checks)


def test_under_proposed_files_a_release_counts_in_its_project_alone(ready: House) -> None:
    """In environment local. Taken out of a release by whoever has the gate's key, they count no more outside."""
    ready.governance = governance.load_governance(ready.governance.folder, ready.state)
    label = ready.promote(ready.run("run-1")).label
    adopted = open_house(ready.root)
    for governed in (ready.governance, adopted.governance):
        inside = releases.verify_release(ready.bundle(label), governed)
        assert inside.ok and any("which nobody adopted" in check.text for check in inside.checks), inside.against
    outside = verification.verify_from_root(ready.bundle(label), ready.root_of_trust)
    assert outside.verdict == "invalid" and outside.against == trust.UNADOPTED_MESSAGE
    elsewhere = adopted.governance.policy.model_copy(update={"environment": "production"})
    with pytest.raises(Refused, match="holds no adoption"):
        trust.last_adoption([], trust.trust_from_governance(replace(adopted.governance, policy=elsewhere)))
