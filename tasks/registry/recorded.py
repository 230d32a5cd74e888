"""attestations/ledger.json: proof that a promotion stands in the ledger, under a signed head of it.

The promotion statement is signed before its entry exists, so this file comes after it and nothing lists it; what it
says proves itself. Whoever keeps the head can later show that the ledger was not rewritten behind it.
"""

from collections.abc import Sequence
from typing import Any

from tasks import files
from tasks.errors import HallmarkError, Refused
from tasks.govern import dsse
from tasks.govern.identity.validity import Key
from tasks.govern.ledger import entry as ledger_entry
from tasks.govern.ledger import proof as ledger_proof
from tasks.govern.ledger import publish
from tasks.govern.ledger.ledger import Entry, Ledger
from tasks.govern.ledger.proof import Inclusion
from tasks.govern.rules.governance import Governance
from tasks.registry import bundle, succession
from tasks.registry.report import Check
from tasks.registry.succession import Signed

MISSING = (
    "the release lacks attestations/ledger.json, the proof that its promotion stands in the ledger; "
    "ask who promoted it to run `hallmark releases list` and copy the release again"
)


def add_missing(governance: Governance, ledger: Ledger, name: str) -> list[str]:
    """Give each release of a model that lies here and lacks its proof one. Returns in words why one has none yet."""
    told = []
    for signed in succession.read(ledger, governance, name).valid:
        folder = bundle.folder(governance.state, signed.promotion.label)
        if signed.promotion.action != "promote" or not folder.is_dir() or (folder / bundle.LEDGER).exists():
            continue
        try:
            _add(signed, governance, ledger)
        except (HallmarkError, OSError) as error:
            told.append(f"{signed.promotion.label}: no proof of its promotion yet: {error}")
    return told


def _add(signed: Signed, governance: Governance, ledger: Ledger) -> None:
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

    None is a release without a proof.
    """
    if value is None:
        return Check(about="ledger", state="missing", text=MISSING)
    proof = ledger_proof.parse(value)
    by = [key for key in those if isinstance(proof, Inclusion) and key.public_key == proof.key]
    if not isinstance(proof, Inclusion) or not by:
        raise Refused(f"{bundle.LEDGER} is no proof by the ledger's key that an entry is in it")
    text = ledger_proof.check(proof, by)
    entry = ledger_entry.read(proof.entry.row)
    if (entry.kind, entry.subject) != (succession.MADE, signed.promotion.name) or not _is_of(entry, signed):
        raise Refused(f"{bundle.LEDGER} is about another entry than this release's promotion")
    return Check(about="ledger", state="ok", text=text)


def _is_of(entry: Entry, signed: Signed) -> bool:
    envelope = entry.body.get("envelope")
    return isinstance(envelope, dict) and dsse.digest(envelope) == signed.sha256
