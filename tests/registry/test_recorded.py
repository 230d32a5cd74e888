"""attestations/ledger.json shows that a promotion stands in the ledger, or shows nothing."""

import json
import random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tasks.core.errors import Refused
from tasks.core.json_text import canonical_json
from tasks.ledger import proof as ledger_proof
from tasks.ledger.heads import heads, publication
from tasks.registry.promote import promotion, releases
from tasks.registry.release import bundle, contents, promotions
from tasks.registry.release.promotions import SignedPromotion
from tasks.registry.release.report import Verification
from tasks.registry.verify import promotion_proof, verification
from tasks.trust import keys
from tests.registry.house import NAME, House, writable


def proof(house: House, label: str = "triage-1") -> dict[str, Any]:
    return json.loads((house.bundle(label) / bundle.LEDGER_PROOF).read_bytes())


def signed(house: House, label: str = "triage-1") -> SignedPromotion:
    return verification.require_valid_release(house.bundle(label), house.governance)


def check(house: House, value: Any, of: SignedPromotion) -> str:
    return promotion_proof.check_proof(value, of, publication.ledger_keys(house.governance)).text


def test_the_proof_is_of_this_promotion_under_a_head_of_the_ledger(released: House) -> None:
    entry = released.ledger.entries(promotions.PROMOTION_KIND, NAME)[0]
    assert f"entry {entry.seq}, promotion.made of " in check(released, proof(released), signed(released))
    assert (released.bundle() / bundle.LEDGER_PROOF).stat().st_mode & 0o777 == 0o444
    assert not list(released.bundle().parent.glob(".*")), "something was left aside"
    before = (released.bundle() / bundle.LEDGER_PROOF).stat().st_ino
    assert promotion.recover(released.ledger, released.governance) == []
    assert (released.bundle() / bundle.LEDGER_PROOF).stat().st_ino == before, "one that counts is kept"


def test_what_has_no_proof_yet_gets_one_later(released: House) -> None:
    writable(released.bundle())
    (released.bundle() / bundle.LEDGER_PROOF).unlink()
    checked = releases.verify_release(released.bundle(), released.governance)
    assert checked.verdict == "incomplete" and "ledger.json" in checked.against
    assert verification.require_valid_release(released.bundle(), released.governance).promotion.label == "triage-1"
    assert promotion.recover(released.ledger, released.governance) == []
    assert releases.verify_release(released.bundle(), released.governance).verdict == "valid"


def test_without_the_ledgers_key_the_promotion_stands_and_says_why_nothing_proves_it(ready: House) -> None:
    (ready.state / "keys" / "ledger").rename(ready.root / "ledger-key")
    ready.promote(ready.run("run-1"))
    assert releases.verify_release(ready.bundle(), ready.governance).verdict == "incomplete"
    told = promotion.recover(ready.ledger, ready.governance)
    assert len(told) == 1 and "triage-1: no proof of its promotion yet" in told[0]
    (ready.root / "ledger-key").rename(ready.state / "keys" / "ledger")
    assert promotion.recover(ready.ledger, ready.governance) == []
    assert releases.verify_release(ready.bundle(), ready.governance).verdict == "valid"


def test_the_proof_of_another_promotion_is_refused(succeeded: House) -> None:
    with pytest.raises(Refused, match="another entry than this release's promotion"):
        check(succeeded, proof(succeeded, "triage-2"), signed(succeeded))
    succeeded.roll_back("worse on refunds")
    publication.publish(succeeded.ledger, succeeded.governance)
    later = succeeded.ledger.entries(promotions.PROMOTION_KIND, NAME)[-1]
    of_rollback = ledger_proof.prove_inclusion(succeeded.ledger, succeeded.governance, later.seq).model_dump(
        mode="json"
    )
    with pytest.raises(Refused, match="another entry than this release's promotion"):
        check(succeeded, of_rollback, signed(succeeded))


def test_a_head_by_another_key_or_no_proof_at_all_is_refused(released: House) -> None:
    value, of = proof(released), signed(released)
    other = released.governance.find_signer("gate")
    head = heads.verify_head(value["head"], publication.ledger_keys(released.governance))
    for forged in (
        value | {"head": heads.sign_head(head, other)},
        value | {"key": released.governance.keys_of("gate")[0].public_key},
        value | {"path": [*value["path"], "0" * 64]},
        value | {"entry": value["entry"] | {"seq": value["entry"]["seq"] + 1}},
        value | {"more": 1},
        {},
        [],
    ):
        with pytest.raises(Refused):
            check(released, forged, of)


@pytest.fixture
def turned(released: House) -> House:
    """The ledger's key was followed by another after the promotion, and the proof is made anew then."""
    return rekeyed(released, f"valid_before: '{released.ledger.now().isoformat()}'")


def rekeyed(house: House, ended: str) -> House:
    """Another key of the ledger's is adopted, and the one before has ended or is revoked."""
    old, folder = house.key("ledger").public_line, house.state / "keys"
    for name in ("ledger", "ledger.pub"):
        (folder / name).unlink()
    keys.create_key_pair(folder, "ledger")
    held = f"[{{public_key: '{old}', {ended}}}, '{house.key('ledger').public_line}']"
    house.adopt(lambda text: text + f"machines: {{ledger: {{keys: {held}}}}}\n", "people.yaml")
    return house


def outside(house: House) -> Verification:
    return verification.verify_from_root(house.bundle(), house.root_of_trust)


def test_a_ledger_key_that_was_replaced_leaves_the_proof_valid(turned: House) -> None:
    assert (outside(turned).verdict, releases.verify_release(turned.bundle(), turned.governance).verdict) == (
        "valid",
        "valid",
    )


def test_a_late_proof_by_a_newer_key_is_incomplete_outside_and_counts_inside(turned: House) -> None:
    """The release's own adoptions end before the newer key."""
    writable(turned.bundle())
    (turned.bundle() / bundle.LEDGER_PROOF).unlink()
    assert promotion.recover(turned.ledger, turned.governance) == []
    told = outside(turned)
    assert told.verdict == "incomplete" and "none of the ledger's that the adoptions known here name" in told.against
    assert releases.verify_release(turned.bundle(), turned.governance).verdict == "valid"
    assert proof(turned)["key"] == turned.key("ledger").public_line


def test_a_proof_by_a_revoked_key_is_no_proof_and_is_made_anew(released: House) -> None:
    rekeyed(released, "revoked_as_of: 2026-01-01, reason: stolen")
    told = releases.verify_release(released.bundle(), released.governance)
    assert told.verdict == "incomplete" and "is revoked as of 2026-01-01 00:00 UTC (stolen)" in told.against
    assert verification.require_valid_release(released.bundle(), released.governance)
    assert promotion.recover(released.ledger, released.governance) == []
    assert releases.verify_release(released.bundle(), released.governance).verdict == "valid"


@pytest.mark.attack(rights="disk", stopped="a proof counts by a key of the ledger's that was adopted")
def test_a_proof_by_a_key_that_nobody_adopted_makes_nothing_valid(released: House) -> None:
    own = keys.make_signer(Ed25519PrivateKey.generate())
    value = proof(released)
    head = heads.verify_head(value["head"], publication.ledger_keys(released.governance))
    forged = value | {"head": heads.sign_head(head, own), "key": own.public_line}
    writable(released.bundle())
    (released.bundle() / bundle.LEDGER_PROOF).write_bytes(canonical_json(forged))
    assert (
        outside(released).verdict
        == releases.verify_release(released.bundle(), released.governance).verdict
        == "incomplete"
    )
    (released.bundle() / bundle.LEDGER_PROOF).write_bytes(canonical_json(value | {"key": f"{value['key']} x"}))
    assert outside(released).verdict == "incomplete", "another spelling of the key"


def test_no_changed_byte_of_a_proof_passes(released: House) -> None:
    data, of = (released.bundle() / bundle.LEDGER_PROOF).read_bytes(), signed(released)
    choose = random.Random(17)
    for place in choose.sample(range(len(data)), 400):
        changed = bytearray(data)
        changed[place] ^= 1 << choose.randrange(8)
        with pytest.raises(Refused):
            value = contents.parse_json(bytes(changed), bundle.LEDGER_PROOF)
            if canonical_json(value) != bytes(changed):
                raise Refused("another spelling")
            check(released, value, of)
