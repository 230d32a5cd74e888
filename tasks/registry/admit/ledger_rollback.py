"""Detection of a ledger that was rolled back: it lacks the promotion that was last admitted on this machine.

Either an older copy was restored or entries were removed. A server detects this, but often lacks the key that signs
incidents. It therefore writes a record to the ledger, and keeps the record in a file until a ledger has the missing
promotion again, since the incomplete ledger may be replaced by the right one. The watch, on a machine with the key,
opens the incident from the record.
"""

from typing import Annotated, Any

from pydantic import Field, ValidationError

from tasks.core.documents.config import FrozenModel
from tasks.core.files import sha256_bytes
from tasks.core.json_text import canonical_json
from tasks.core.params.values import Name, Sha256
from tasks.incidents import incidents, signed_incident
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.registry.admit import outbox
from tasks.registry.promote import rollback_orders
from tasks.registry.release import promotions
from tasks.registry.release.promotions import SignedPromotion

ENTRY_KIND = "admission.rolled_back"
"""Kind of ledger entry. Its subject is the model's name."""
INCIDENT_KIND: signed_incident.IncidentKind = "ledger-rolled-back"


class LedgerRollback(FrozenModel):
    """Body of the ledger entry. It is not signed: all that it can cause is an incident, which stops nothing.

    Only names, digests and a number go from it into the incident, which the gate key signs.
    """

    server: str
    """Name of the server that found the incomplete ledger."""
    release: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*-[1-9][0-9]*$")]
    """NAME-VERSION."""
    tier: Name
    sequence: Annotated[int, Field(ge=1)]
    statement: Sha256
    """`dsse.digest` of the missing promotion statement, which is of this release, risk tier and sequence number."""
    found: Sha256 | None
    """`dsse.digest` of the newest statement that the ledger has; null if it has none."""


def store_record(governance: Governance, last: SignedPromotion, newest: SignedPromotion | None, server: str) -> None:
    """Store a record, to be delivered later, that the ledger ends with `newest` and lacks the admitted `last`."""
    promotion = last.promotion
    body = LedgerRollback(
        server=server, release=promotion.label, tier=promotion.tier, sequence=promotion.sequence,
        statement=last.sha256, found=newest.sha256 if newest else None,
    ).model_dump()  # fmt: skip
    name = f"rolled-back-{sha256_bytes(canonical_json(body))[:32]}"
    until = outbox.DeliveryEnd(kind=promotions.PROMOTED, subject=promotion.name, envelope=last.sha256)
    outbox.store(governance.state, name, ENTRY_KIND, promotion.name, body, until)


def raise_incidents(ledger: Ledger, governance: Governance) -> list[Entry]:
    """Open an incident for each record of a ledger that was rolled back. Serving does not change.

    Existing incidents are read once and not for each record. Records with an invalid body are skipped.
    """
    records = [record for entry in ledger.entries(ENTRY_KIND) if (record := _read(entry))]
    known = {incident.opening.cause for incident in incidents.read_all(ledger, governance)} if records else set()
    opened = []
    for record in records:
        cause = signed_incident.cause_digest(INCIDENT_KIND, record.release, _facts(record))
        if cause not in known:
            opened.append(_open_incident(record, ledger, governance))
            known.add(cause)
    return [entry for entry in opened if entry]


def invalid_records(ledger: Ledger) -> list[str]:
    return [
        f"entry {entry.seq} of the ledger ({ENTRY_KIND} of {entry.subject!r}) names no release, risk tier and "
        f"statement, so it opens no incident; look who wrote it: hallmark ledger show {entry.seq}"
        for entry in ledger.entries(ENTRY_KIND)
        if _read(entry) is None
    ]


def _read(entry: Entry) -> LedgerRollback | None:
    """Return the record; None if its body is invalid or names a release of another model than the entry's subject."""
    try:
        record = LedgerRollback.model_validate({name: entry.body.get(name) for name in LedgerRollback.model_fields})
    except ValidationError:
        return None
    return record if record.release.rpartition("-")[0] == entry.subject else None


def _facts(record: LedgerRollback) -> dict[str, Any]:
    return {"statement": record.statement, "found": record.found}


def _open_incident(record: LedgerRollback, ledger: Ledger, governance: Governance) -> Entry | None:
    text = (
        f"a ledger without the promotion of {record.release} (statement {record.sequence}) was met after it was "
        "admitted: an older copy was brought back, or entries were taken out. What was admitted is served on. Compare "
        "with the published heads (`hallmark ledger verify`), bring the newest copy back, and find out who did it"
    )
    role = rollback_orders.owner_role(governance, record.tier)
    return incidents.open_if_new(
        ledger, governance, INCIDENT_KIND, record.release, _facts(record), "critical", role, text
    )
