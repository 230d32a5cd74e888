"""What attackers do to releases, and how they sign."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tasks.core.json_text import canonical_json
from tasks.gates import signed_request
from tasks.gates.signed_request import SignedRunRequest
from tasks.registry.release import bundle, promotions
from tasks.trust import dsse, keys
from tasks.trust.keys import Signer
from tests.registry.house import NAME, House

Attack = Callable[[Path], object]


def rewrite(path: Path, change: Callable[[dict], object]) -> None:
    value = json.loads(path.read_bytes())
    change(value)
    path.write_bytes(canonical_json(value))


def relist(folder: Path) -> None:
    """Make the statement's list fit the files again, as somebody without the key can."""
    listing = bundle.list_digests(folder)

    def change(envelope: dict) -> None:
        statement = dsse.unverified_statement(envelope)
        statement["predicate"]["files"] = listing
        statement["subject"][0]["digest"]["sha256"] = bundle.release_digest(listing)
        envelope["payload"] = dsse.sign_statement(statement, keys.make_signer(Ed25519PrivateKey.generate()))["payload"]

    rewrite(folder / bundle.PROMOTION_STATEMENT, change)


class Bomb:
    """Runs when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("exit 1",)


def swap(folder: Path) -> None:
    (folder / "payload/model/adapter_model.safetensors").write_bytes(b"evil")


def link(path: Path) -> None:
    moved = path.parent / f"moved-{path.name}"
    path.rename(moved)
    path.symlink_to(moved)


def forged(house: House, key: Ed25519PrivateKey | None = None, **changes: object) -> dict[str, object]:
    """The newest statement with `changes` and the next sequence number, signed by a key that is not the gate's."""
    newest = promotions.read_promotions(house.ledger, house.governance, NAME).valid_statements[-1]
    claimed = newest.promotion.model_copy(
        update={"sequence": newest.promotion.sequence + 1, "previous": newest.sha256} | changes
    )
    statement = dsse.make_statement(
        promotions.PREDICATE_TYPE, {claimed.label: newest.release_sha256}, claimed.model_dump(mode="json")
    )
    return {"envelope": dsse.sign_statement(statement, keys.make_signer(key or Ed25519PrivateKey.generate()))}


def resign(house: House, folder: Path, **changes: object) -> None:
    """Sign the bundle anew with the gate's key, as an installation that was taken over could."""
    known = promotions.verify_promotion(dsse.read_envelope(folder / bundle.PROMOTION_STATEMENT), house.governance)
    listing = bundle.list_digests(folder)
    update = {"files": listing, "payload_sha256": bundle.part_digest(listing, bundle.PAYLOAD)} | changes
    statement = known.promotion.model_copy(update=update)
    dsse.write_envelope(
        folder / bundle.PROMOTION_STATEMENT,
        promotions.sign_promotion(statement, bundle.release_digest(listing), house.governance),
    )


def request_of(folder: Path, who: str, signer: Signer, **more: object) -> dict:
    """Another request for the run, in the name of somebody whose key signs it; returns what it says."""
    asked = (
        dsse.unverified_statement(dsse.read_envelope(folder / "attestations/request.json"))["predicate"]
        | {"requested_by": who}
        | more
    )
    dsse.write_envelope(
        folder / "attestations/request.json",
        signed_request.sign_request(SignedRunRequest.model_validate(asked), signer),
    )
    return asked
