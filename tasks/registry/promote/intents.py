"""Intents: ledger entries that announce a promotion, so that it can be completed or undone if it is interrupted."""

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from tasks.core import files
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import Refused
from tasks.core.machine import locks
from tasks.core.params.values import Name, Sha256
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.registry.release import promotions

INTENT_KIND = "promotion.intended"
UNDONE_KIND = "promotion.undone"
LOCK_FILE = "promotion.lock"
MAX_VERSION = 999_999_999
"""Highest version number of a model. A longer label would be no file name."""
INSTALLATION_FILE = "installation"
"""File below `.hallmark/` with the random name of this installation. Machines that share a ledger recognise their own
intents by this name."""


class Intent(FrozenModel):
    """Body of a `promotion.intended` ledger entry. The subject of the entry is the model's name."""

    name: Name
    version: Annotated[int, Field(ge=1, le=MAX_VERSION)]
    environment: Name
    sequence: int
    previous: Sha256 | None
    """Digest of the newest promotion statement at the start of the promotion (`dsse.digest`); null if there was
    none."""
    run: str
    commit: str
    installation: str = ""
    """Name of the installation that started the promotion and holds its files; empty in entries of early Hallmark
    versions."""

    @property
    def label(self) -> str:
        return f"{self.name}-{self.version}"


def hold_lock(state: Path) -> AbstractContextManager[None]:
    """Hold this machine's promotion lock, after waiting for any other process that holds it.

    While the caller holds the lock, every pending intent of this installation is the result of a crash. Conflicts
    between machines are prevented by the ledger's transactions (`tasks.registry.promote.promotion`).
    """
    return locks.hold_exclusive_lock(state / LOCK_FILE, "another promotion or rollback is under way")


def try_lock(state: Path) -> AbstractContextManager[bool]:
    """Hold this machine's promotion lock, or yield False at once if another process holds it."""
    return locks.try_exclusive_lock(state / LOCK_FILE)


def is_lock_held(state: Path) -> bool:
    return locks.is_held(state / LOCK_FILE)


def ensure_installation_name(state: Path) -> str:
    """Return this installation's name. Create the name if there is none."""
    files.create_private_file(state / INSTALLATION_FILE, uuid.uuid4().hex.encode())
    return (state / INSTALLATION_FILE).read_text()


def installation_name(state: Path) -> str:
    """Return this installation's name without creating it; empty before the first promotion."""
    path = state / INSTALLATION_FILE
    return path.read_text() if path.exists() else ""


def record_intent(
    ledger: Ledger,
    governance: Governance,
    name: str,
    run: str,
    commit: str,
    previous: promotions.SignedPromotion | None,
) -> tuple[int, Intent]:
    """Record an intent with the next version and sequence number.

    Returns:
        Number of the ledger entry, and the intent.
    """
    installation = ensure_installation_name(governance.state)
    with ledger.transaction():
        intent = Intent(
            name=name,
            version=_next_version(ledger, governance, name),
            environment=governance.policy.environment,
            sequence=previous.promotion.sequence + 1 if previous else 1,
            previous=previous.sha256 if previous else None,
            run=run,
            commit=commit,
            installation=installation,
        )
        return ledger.append(INTENT_KIND, name, intent.model_dump(mode="json")).seq, intent


def pending_intents(ledger: Ledger) -> list[tuple[int, Intent]]:
    """Return the intents that were neither completed nor undone, oldest first, as pairs of entry number and intent."""
    closed = _closed_intents(ledger)
    return [(seq, intent) for seq, intent in _all_intents(ledger) if seq not in closed]


def is_pending(ledger: Ledger, intent_entry: int, name: str) -> bool:
    return intent_entry not in _closed_intents(ledger, name)


def require_pending(ledger: Ledger, intent_entry: int, name: str) -> None:
    """Verify that an intent was neither completed nor undone.

    Raises:
        Refused: The ledger has an entry that closes the intent.
    """
    if not is_pending(ledger, intent_entry, name):
        raise Refused(
            f"the promotion that entry {intent_entry} of the ledger announced was completed or undone meanwhile; "
            "promote again"
        )


def record_undone(ledger: Ledger, intent_entry: int, name: str, reason: str, had_final_name: bool) -> None:
    """Record that an intent was undone.

    `had_final_name` tells whether the bundle already had its final name. If so, a signed statement had the version
    number, which is not used again.
    """
    ledger.append(UNDONE_KIND, name, {"intent": intent_entry, "reason": reason, "named": had_final_name})


def _all_intents(ledger: Ledger, name: str | None = None) -> Iterator[tuple[int, Intent]]:
    for entry in ledger.entries(INTENT_KIND, name):
        try:
            yield entry.seq, Intent.model_validate(entry.body)
        except ValidationError:
            continue  # not written by Hallmark, so it has no files to complete or remove


def _closed_intents(ledger: Ledger, name: str | None = None) -> set[int]:
    """Return the entry numbers of the intents that were completed or undone."""
    kinds = (promotions.PROMOTION_KIND, UNDONE_KIND)
    return {seq for kind in kinds for entry in ledger.entries(kind, name) if (seq := _intent_entry(entry)) is not None}


def _intent_entry(closing: Entry) -> int | None:
    """Return the number of the entry with the intent that an entry closes; None if the entry names none."""
    seq = closing.body.get("intent")
    return seq if isinstance(seq, int) else None


def _next_version(ledger: Ledger, governance: Governance, name: str) -> int:
    """Return the next version of a model, which is higher than that of every valid promotion statement.

    Versions of undone promotions are reused unless a signed statement had them. Anybody who can append to the ledger
    can record an intent. An intent that skips numbers is therefore ignored, because Hallmark does not write such.
    """
    undone = ledger.entries(UNDONE_KIND, name)
    named = {_intent_entry(entry) for entry in undone if entry.body.get("named")}
    free = {_intent_entry(entry) for entry in undone} - named
    made = promotions.read_promotions(ledger, governance, name).valid_statements
    highest = used = max((signed.promotion.version for signed in made), default=0)
    for seq, intent in _all_intents(ledger, name):
        if intent.version <= highest + 1:
            highest = max(highest, intent.version)
            used = used if seq in free else max(used, intent.version)
    return used + 1
