"""A ledger that ends before what was admitted here last: somebody brought back an older copy, or cut it.

Who serves sees it, and often has not the key that opens incidents. So it is put on the ledger as a record, and kept
beside it until a ledger has the statement again, since the one that lacks it may be replaced by the right one. Whoever
has the key opens the incident from the record.
"""

from pydantic import ValidationError

from tasks.config import Frozen
from tasks.files import canonical_json, sha256_bytes
from tasks.govern import incidents
from tasks.govern.ledger.ledger import Entry, Ledger
from tasks.govern.rules.governance import Governance
from tasks.params import Sha256
from tasks.registry import orders, succession, undelivered
from tasks.registry.succession import Signed

KIND = "admission.rolled_back"
"""Ledger entries; their subject is the name of the model."""


class Record(Frozen):
    """What is put on the ledger. Nobody signs it: what it leads to is an incident, which stops nothing."""

    server: str
    """Who met it."""
    release: str
    tier: str
    sequence: int
    statement: Sha256
    """The promotion that the ledger lacks: of this release and risk tier, with this number."""
    found: Sha256 | None
    """The newest that it has."""


def keep(governance: Governance, last: Signed, found: Signed | None, server: str) -> None:
    """Keep for delivery that the ledger lacks `last`, admitted here, and that its newest statement is `found`."""
    promotion = last.promotion
    told = Record(
        server=server, release=promotion.label, tier=promotion.tier, sequence=promotion.sequence,
        statement=last.sha256, found=found.sha256 if found else None,
    ).model_dump()  # fmt: skip
    name = f"rolled-back-{sha256_bytes(canonical_json(told))[:32]}"
    until = undelivered.Until(kind=succession.MADE, subject=promotion.name, envelope=last.sha256)
    undelivered.keep(governance.state, name, KIND, promotion.name, told, until)


def raise_incidents(ledger: Ledger, governance: Governance) -> list[Entry]:
    """Open an incident for each such record. Nothing that is served changes."""
    opened = [_open(entry, ledger, governance) for entry in ledger.entries(KIND)]
    return [entry for entry in opened if entry]


def _open(entry: Entry, ledger: Ledger, governance: Governance) -> Entry | None:
    try:
        told = Record.model_validate({name: entry.body.get(name) for name in Record.model_fields})
    except ValidationError:
        return None
    text = (
        f"a ledger without the promotion of {told.release} (statement {told.sequence}) was met after it was admitted: "
        "an older copy was brought back, or entries were taken out. What was admitted is served on. Compare with the "
        "published heads (`hallmark ledger verify`), bring the newest copy back, and find out who did it"
    )
    facts = {"statement": told.statement, "found": told.found}
    role = orders.owner_role(governance, told.tier)
    return incidents.open_once(ledger, governance, "ledger-rolled-back", told.release, facts, "critical", role, text)
