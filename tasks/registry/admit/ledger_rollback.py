"""Detection of a ledger that was rolled back, because an older copy was restored or entries were removed.

Such a ledger lacks the promotion that was last admitted on this machine. The server that detects this often lacks the
key for signing incidents. It therefore only appends a record to the ledger. The watch, which runs on a machine with the
key, opens an incident from the record. The incomplete ledger may later be replaced by the complete one. The server
therefore also keeps the record in a file, until a ledger contains both the record and the missing promotion.
"""

from contextlib import suppress
from typing import Annotated, Any

from pydantic import Field, ValidationError

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import Refused, Unavailable
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
"""Kind of the ledger entry which records that the ledger was rolled back. Its subject is the model's name."""
INCIDENT_KIND: signed_incident.IncidentKind = "ledger-rolled-back"


class LedgerRollback(FrozenModel):
    """Body of the ledger entry which records that the ledger was rolled back.

    The body needs no signature, because its only effect is an incident, which blocks nothing. The incident is signed
    with the gate key. Only names, digests and a number are copied from the body.
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


def record_rollback(
    ledger: Ledger,
    governance: Governance,
    admitted_statement: SignedPromotion,
    newest_statement: SignedPromotion | None,
    server: str,
) -> None:
    """Record that the ledger lacks an admitted promotion statement, in a file and in the ledger.

    No other stored record is appended to this ledger, because the record would be lost with it.

    Args:
        ledger: Ledger that lacks the statement.
        governance: Governance in force.
        admitted_statement: Promotion statement of the last admission.
        newest_statement: Newest promotion statement in the ledger; None if it has none.
        server: Name of the server that requested the admission.
    """
    promotion = admitted_statement.promotion
    body = LedgerRollback(
        server=server, release=promotion.label, tier=promotion.tier, sequence=promotion.sequence,
        statement=admitted_statement.sha256, found=newest_statement.sha256 if newest_statement else None,
    ).model_dump()  # fmt: skip
    name = f"rolled-back-{sha256_bytes(canonical_json(body))[:32]}"
    until = outbox.DeliveryEnd(
        kind=promotions.PROMOTION_KIND, subject=promotion.name, envelope=admitted_statement.sha256
    )
    outbox.store_record(governance.state, name, ENTRY_KIND, promotion.name, body, until)
    with suppress(Unavailable, Refused):
        outbox.deliver_records(ledger, governance.state, ENTRY_KIND)


def open_incidents(ledger: Ledger, governance: Governance) -> list[Entry]:
    """Open an incident for each record of a rolled-back ledger, and return the ledger entries of the new incidents.

    Serving is not affected. Records that already have an incident, or whose body is invalid, are skipped.
    """
    records = [record for entry in ledger.entries(ENTRY_KIND) if (record := _parse_record(entry))]
    known = {incident.opening.cause for incident in incidents.read_all(ledger, governance)} if records else set()
    opened = []
    for record in records:
        cause = signed_incident.cause_digest(INCIDENT_KIND, record.release, _incident_facts(record))
        if cause not in known:
            opened.append(_open_incident(record, ledger, governance))
            known.add(cause)
    return [entry for entry in opened if entry]


def invalid_records(ledger: Ledger) -> list[str]:
    return [
        f"entry {entry.seq} of the ledger ({ENTRY_KIND} of {entry.subject!r}) names no release, risk tier and "
        f"statement, so it opens no incident; look who wrote it: hallmark ledger show {entry.seq}"
        for entry in ledger.entries(ENTRY_KIND)
        if _parse_record(entry) is None
    ]


def _parse_record(entry: Entry) -> LedgerRollback | None:
    try:
        record = LedgerRollback.model_validate({name: entry.body.get(name) for name in LedgerRollback.model_fields})
    except ValidationError:
        return None
    return record if record.release.rpartition("-")[0] == entry.subject else None


def _incident_facts(record: LedgerRollback) -> dict[str, Any]:
    return {"statement": record.statement, "found": record.found}


def _open_incident(record: LedgerRollback, ledger: Ledger, governance: Governance) -> Entry | None:
    text = (
        f"a ledger without the promotion of {record.release} (statement {record.sequence}) was met after it was "
        "admitted: an older copy was brought back, or entries were taken out. What was admitted is served on. Compare "
        "with the published heads (`hallmark ledger verify`), bring the newest copy back, and find out who did it"
    )
    role = rollback_orders.incident_role(governance, record.tier)
    return incidents.open_incident_if_new(
        ledger, governance, INCIDENT_KIND, record.release, _incident_facts(record), "critical", role, text
    )
