"""attestations/ledger.json: proof that a promotion stands in the ledger, under a signed head of it.

The promotion statement is signed before its entry exists, so this file comes after it and nothing lists it; what it
says proves itself. Whoever keeps the head can later show that the ledger was not rewritten behind it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tasks.core import files
from tasks.core.errors import HallmarkError, Refused
from tasks.ledger import entry as ledger_entry
from tasks.ledger import proof as ledger_proof
from tasks.ledger.heads import publish
from tasks.ledger.heads.heads import Void
from tasks.ledger.ledger import Entry, Ledger
from tasks.ledger.proof import Inclusion
from tasks.policy.governance import Governance
from tasks.registry.release import bundle, contents, promotions
from tasks.registry.release.promotions import Signed
from tasks.registry.release.report import Check
from tasks.trust import dsse, keys
from tasks.trust.validity import Key

ANEW = "ask who promoted it to run `hallmark releases list` and copy the release again"
MISSING = f"the release lacks attestations/ledger.json, the proof that its promotion stands in the ledger; {ANEW}"


def add_missing(ledger: Ledger, governance: Governance, name: str) -> list[str]:
    """Give a proof to each release of a model that lies here without one that counts. Returns in words why one has none
    yet."""
    texts = []
    for signed in promotions.read(ledger, governance, name).valid:
        folder = bundle.folder(governance.state, signed.promotion.label)
        if signed.promotion.action != "promote" or not folder.is_dir() or _stands(folder, signed, governance):
            continue
        try:
            _add(signed, ledger, governance)
        except (HallmarkError, OSError) as error:
            texts.append(f"{signed.promotion.label}: no proof of its promotion yet: {error}")
    return texts


def _add(signed: Signed, ledger: Ledger, governance: Governance) -> None:
    assert signed.entry is not None, "what was read from the ledger stands there"
    publish.publish(ledger, governance)
    proof = ledger_proof.prove(ledger, governance, signed.entry.seq)
    target = bundle.folder(governance.state, signed.promotion.label)
    # Aside and not in the folder: whoever verifies it meanwhile would find a file that nobody signed.
    aside = target.with_name(f".ledger-{target.name}")
    files.write_bytes(aside, files.canonical_json(proof.model_dump(mode="json")), mode=0o444)
    aside.replace(target / bundle.LEDGER)


def check(value: Any, signed: Signed, those: Sequence[Key]) -> Check:
    """The proof `value`, of the statement in the same release, by the ledger's keys. Raises Refused where it is none.

    None is a release without a proof. One by a key that nobody here knows, or that did not count then, is as good as
    none: the ledger's key may have been followed by another before the proof was made, and the release is not to blame.
    """
    if value is None:
        return Check(about="ledger", state="missing", text=MISSING)
    proof = ledger_proof.parse(value)
    if not isinstance(proof, Inclusion):
        raise Refused(f"{bundle.LEDGER} is no proof that an entry is in the ledger")
    text, doubt = ledger_proof.check(proof, [_named(proof)]), _doubt(proof, those)
    entry = ledger_entry.read(proof.entry.row)
    if (entry.kind, entry.subject) != (promotions.MADE, signed.promotion.name) or not _is_of(entry, signed):
        raise Refused(f"{bundle.LEDGER} is about another entry than this release's promotion")
    return Check(about="ledger", state="missing" if doubt else "ok", text=doubt or text)


def _named(proof: Inclusion) -> Key:
    """The key that it says it is signed with."""
    try:
        return Key(public_key=proof.key)
    except ValidationError as error:
        raise Refused(f"{bundle.LEDGER} names no key ({error.errors()[0]['msg']})") from None


def _doubt(proof: Inclusion, those: Sequence[Key]) -> str:
    """Why the key of a proof that is right by itself shows nothing; empty where it is one of the ledger's."""
    known = [key for key in those if keys.bare(key.public_key) == proof.key]
    try:
        if known:
            ledger_proof.check(proof, known)
            return ""
        why = f"{proof.key!r} is none of the ledger's that the adoptions known here name"
    except Void as error:
        why = str(error)
    return f"the proof that the promotion stands in the ledger is signed with a key that does not count: {why}; {ANEW}"


def _stands(folder: Path, signed: Signed, governance: Governance) -> bool:
    """Whether a release has a proof that counts under the keys of today."""
    try:
        value = contents.parse(contents.read_one(folder, bundle.LEDGER), bundle.LEDGER)
        return check(value, signed, publish.signers(governance)).state == "ok"
    except Refused:
        return False


def _is_of(entry: Entry, signed: Signed) -> bool:
    envelope = entry.body.get("envelope")
    return isinstance(envelope, dict) and dsse.digest(envelope) == signed.sha256
