"""A ledger that ends before what was admitted here last: somebody brought back an older copy, or cut it.

Who serves sees it, and often has not the key that opens incidents. So it is put on the ledger as a record, and kept
beside it until a ledger has the statement again, since the one that lacks it may be replaced by the right one. Whoever
has the key opens the incident from the record.
"""

from typing import Annotated, Any

from pydantic import Field, ValidationError

from tasks.core.config import Frozen
from tasks.core.files import canonical_json, sha256_bytes
from tasks.core.params.values import Name, Sha256
from tasks.incidents import incidents, signed_incident
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.registry.admit import undelivered
from tasks.registry.promote import orders
from tasks.registry.release import promotions
from tasks.registry.release.promotions import Signed

KIND = "admission.rolled_back"
"""Ledger entries; their subject is the name of the model."""
WHAT: signed_incident.What = "ledger-rolled-back"


class Record(Frozen):
    """What is put on the ledger. Nobody signs it: what it leads to is an incident, which stops nothing.

    What goes from it into the incident, which the gate signs, is names, digests and a number.
    """

    server: str
    """Who met it."""
    release: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*-[1-9][0-9]*$")]
    """NAME-VERSION."""
    tier: Name
    sequence: Annotated[int, Field(ge=1)]
    statement: Sha256
    """The promotion that the ledger lacks: of this release and risk tier, with this number."""
    found: Sha256 | None
    """The newest that it has."""


def keep(governance: Governance, last: Signed, newest: Signed | None, server: str) -> None:
    """Keep for delivery that the ledger lacks `last`, admitted here, and that its newest statement is `newest`."""
    promotion = last.promotion
    body = Record(
        server=server, release=promotion.label, tier=promotion.tier, sequence=promotion.sequence,
        statement=last.sha256, found=newest.sha256 if newest else None,
    ).model_dump()  # fmt: skip
    name = f"rolled-back-{sha256_bytes(canonical_json(body))[:32]}"
    until = undelivered.Until(kind=promotions.MADE, subject=promotion.name, envelope=last.sha256)
    undelivered.keep(governance.state, name, KIND, promotion.name, body, until)


def raise_incidents(ledger: Ledger, governance: Governance) -> list[Entry]:
    """Open an incident for each such record. Nothing that is served changes.

    What was opened before is read once, however many records tell of it; a record that does not fit is passed over.
    """
    records = [record for entry in ledger.entries(KIND) if (record := _read(entry))]
    known = {incident.opening.cause for incident in incidents.read(ledger, governance)} if records else set()
    opened = []
    for record in records:
        cause = signed_incident.cause_of(WHAT, record.release, _facts(record))
        if cause not in known:
            opened.append(_open(record, ledger, governance))
            known.add(cause)
    return [entry for entry in opened if entry]


def passed_over(ledger: Ledger) -> list[str]:
    """In words, the records that open no incident since they are not what such a record holds."""
    return [
        f"entry {entry.seq} of the ledger ({KIND} of {entry.subject!r}) names no release, risk tier and statement, so "
        f"it opens no incident; look who wrote it: hallmark ledger show {entry.seq}"
        for entry in ledger.entries(KIND)
        if _read(entry) is None
    ]


def _read(entry: Entry) -> Record | None:
    """None where it does not fit, or tells of a release of another model than the entry's."""
    try:
        record = Record.model_validate({name: entry.body.get(name) for name in Record.model_fields})
    except ValidationError:
        return None
    return record if record.release.rpartition("-")[0] == entry.subject else None


def _facts(record: Record) -> dict[str, Any]:
    return {"statement": record.statement, "found": record.found}


def _open(record: Record, ledger: Ledger, governance: Governance) -> Entry | None:
    text = (
        f"a ledger without the promotion of {record.release} (statement {record.sequence}) was met after it was "
        "admitted: an older copy was brought back, or entries were taken out. What was admitted is served on. Compare "
        "with the published heads (`hallmark ledger verify`), bring the newest copy back, and find out who did it"
    )
    role = orders.owner_role(governance, record.tier)
    return incidents.open_once(ledger, governance, WHAT, record.release, _facts(record), "critical", role, text)
