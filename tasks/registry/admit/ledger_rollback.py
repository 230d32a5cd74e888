"""Detection of a ledger that was rolled back: it lacks the promotion that was last admitted on this machine.

Either an older copy of the ledger was restored or entries were removed. The server that detects this often lacks the
key for signing incidents. It therefore appends a record to the ledger. It also keeps the record in a file until a
ledger contains the missing promotion, because the incomplete ledger may be replaced by the complete one. The watch,
which runs on a machine with the key, opens an incident from the record.
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
"""Kind of ledger entry that records a rolled-back ledger. The subject of the entry is the model's name."""
INCIDENT_KIND: signed_incident.IncidentKind = "ledger-rolled-back"


class LedgerRollback(FrozenModel):
    """Body of a ledger entry that records a rolled-back ledger.

    The body is not signed, because it can only open an incident, which blocks nothing. The incident is signed with the
    gate key and copies only names, digests and a number from the body.
    """

    server: str
    """Name of the server that found the incomplete ledger."""
    release: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*-[1-9][0-9]*$")]
    """Release whose promotion is missing, as NAME-VERSION."""
    tier: Name
    sequence: Annotated[int, Field(ge=1)]
    statement: Sha256
    """Digest of the missing promotion statement (`dsse.digest`)."""
    found: Sha256 | None
    """Digest of the newest promotion statement in the ledger (`dsse.digest`); null if the ledger has none."""


def store_record(governance: Governance, last: SignedPromotion, newest: SignedPromotion | None, server: str) -> None:
    """Store a record for later delivery, stating that the ledger lacks the admitted statement `last`.

    `newest` is the newest promotion statement in the ledger.
    """
    promotion = last.promotion
    body = LedgerRollback(
        server=server, release=promotion.label, tier=promotion.tier, sequence=promotion.sequence,
        statement=last.sha256, found=newest.sha256 if newest else None,
    ).model_dump()  # fmt: skip
    name = f"rolled-back-{sha256_bytes(canonical_json(body))[:32]}"
    until = outbox.DeliveryEnd(kind=promotions.PROMOTED, subject=promotion.name, envelope=last.sha256)
    outbox.store(governance.state, name, ENTRY_KIND, promotion.name, body, until)


def raise_incidents(ledger: Ledger, governance: Governance) -> list[Entry]:
    """Open an incident for each record of a rolled-back ledger, and return the new incidents' ledger entries.

    Serving is not affected. Records that have an incident already or an invalid body are skipped.
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
