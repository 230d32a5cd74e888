"""Inclusion proof of a promotion's ledger entry under a signed ledger head (attestations/ledger.json).

The promotion statement is signed before its ledger entry exists. The proof is therefore added later, and no statement
lists it. With the signed head in the proof, anyone can later check whether entries up to that head were rewritten.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tasks.core import files
from tasks.core.errors import HallmarkError, Refused
from tasks.core.json_text import canonical_json
from tasks.ledger import entry as ledger_entry
from tasks.ledger import proof as ledger_proof
from tasks.ledger.heads import publication
from tasks.ledger.heads.heads import VoidHead
from tasks.ledger.ledger import Entry, Ledger
from tasks.ledger.proof import InclusionProof
from tasks.policy.governance import Governance
from tasks.registry.release import bundle, contents, promotions
from tasks.registry.release.promotions import SignedPromotion
from tasks.registry.release.report import Check
from tasks.trust import dsse, keys
from tasks.trust.validity import Key

RENEWAL_HINT = "ask who promoted it to run `hallmark releases list` and copy the release again"
MISSING_MESSAGE = (
    f"the release lacks attestations/ledger.json, the proof that its promotion stands in the ledger; {RENEWAL_HINT}"
)


def add_missing_proofs(ledger: Ledger, governance: Governance, name: str) -> list[str]:
    """Write an inclusion proof for each release of a model that is on this machine and lacks a valid proof.

    Returns:
        For each proof that cannot be made yet, the reason.
    """
    texts = []
    for signed in promotions.read_promotions(ledger, governance, name).valid_statements:
        folder = bundle.release_folder(governance.state, signed.promotion.label)
        if signed.promotion.action != "promote" or not folder.is_dir() or _has_valid_proof(folder, signed, governance):
            continue
        try:
            _add_proof(signed, ledger, governance)
        except (HallmarkError, OSError) as error:
            texts.append(f"{signed.promotion.label}: no proof of its promotion yet: {error}")
    return texts


def _add_proof(signed: SignedPromotion, ledger: Ledger, governance: Governance) -> None:
    assert signed.entry is not None, "what was read from the ledger stands there"
    publication.publish(ledger, governance)
    proof = ledger_proof.prove_inclusion(ledger, governance, signed.entry.seq)
    target = bundle.release_folder(governance.state, signed.promotion.label)
    # Written beside the folder: a temporary file inside it would make a simultaneous verification fail.
    unfinished = target.with_name(f".ledger-{target.name}")
    files.write_bytes(unfinished, canonical_json(proof.model_dump(mode="json")), mode=0o444)
    unfinished.replace(target / bundle.LEDGER_PROOF)


def check_proof(parsed_proof: Any, signed: SignedPromotion, ledger_keys: Sequence[Key]) -> Check:
    """Verify the inclusion proof of a release's promotion.

    If the proof is missing, or is signed with an unknown or expired key, the state of the check is `missing` rather
    than `no`. The ledger's key may have been replaced before the proof was made, which is not a fault of the release.

    Args:
        parsed_proof: Parsed proof; None if the release has none.
        signed: Promotion statement of the release.
        ledger_keys: Keys of the ledger.

    Raises:
        Refused: The value is not a valid proof, or proves another entry.
    """
    if parsed_proof is None:
        return Check(about="ledger", state="missing", text=MISSING_MESSAGE)
    proof = ledger_proof.parse_proof(parsed_proof)
    if not isinstance(proof, InclusionProof):
        raise Refused(f"{bundle.LEDGER_PROOF} is no proof that an entry is in the ledger")
    text, doubt = ledger_proof.verify_proof(proof, [_named_key(proof)]), _key_problem(proof, ledger_keys)
    entry = ledger_entry.entry_from_row(proof.entry.row)
    if (entry.kind, entry.subject) != (promotions.PROMOTION_KIND, signed.promotion.name) or not _contains(
        entry, signed
    ):
        raise Refused(f"{bundle.LEDGER_PROOF} is about another entry than this release's promotion")
    return Check(about="ledger", state="missing" if doubt else "ok", text=doubt or text)


def _named_key(proof: InclusionProof) -> Key:
    try:
        return Key(public_key=proof.key)
    except ValidationError as error:
        raise Refused(f"{bundle.LEDGER_PROOF} names no key ({error.errors()[0]['msg']})") from None


def _key_problem(proof: InclusionProof, ledger_keys: Sequence[Key]) -> str:
    known = [key for key in ledger_keys if keys.strip_comment(key.public_key) == proof.key]
    try:
        if known:
            ledger_proof.verify_proof(proof, known)
            return ""
        why = f"{proof.key!r} is none of the ledger's that the adoptions known here name"
    except VoidHead as error:
        why = str(error)
    return (
        f"the proof that the promotion stands in the ledger is signed with a key that does not count: {why}; "
        f"{RENEWAL_HINT}"
    )


def _has_valid_proof(folder: Path, signed: SignedPromotion, governance: Governance) -> bool:
    try:
        value = contents.parse_json(contents.read_file(folder, bundle.LEDGER_PROOF), bundle.LEDGER_PROOF)
        return check_proof(value, signed, publication.ledger_keys(governance)).state == "ok"
    except Refused:
        return False


def _contains(entry: Entry, signed: SignedPromotion) -> bool:
    envelope = entry.body.get("envelope")
    return isinstance(envelope, dict) and dsse.envelope_digest(envelope) == signed.sha256
