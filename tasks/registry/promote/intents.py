"""Intents: ledger entries that announce a promotion, so that it can be completed or undone if it is interrupted."""

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from tasks.core import files
from tasks.core.documents.config import FrozenModel
from tasks.core.machine import locks
from tasks.core.params.values import Name, Sha256
from tasks.ledger.ledger import Ledger
from tasks.registry.release import promotions

INTENT_KIND = "promotion.intended"
UNDONE_KIND = "promotion.undone"
LOCK_FILE = "promotion.lock"
INSTALLATION_FILE = "installation"
"""File below `.hallmark/` with the random name of this installation. Machines that share a ledger recognise their own
intents by this name."""


class Intent(FrozenModel):
    """Body of a `promotion.intended` ledger entry. The subject of the entry is the model's name."""

    name: Name
    version: Annotated[int, Field(ge=1)]
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
    name: str,
    run: str,
    commit: str,
    environment: str,
    previous: promotions.SignedPromotion | None,
    installation: str,
) -> tuple[int, Intent]:
    """Record an intent with the next version and sequence number.

    Returns:
        Number of the ledger entry, and the intent.
    """
    with ledger.transaction():
        intent = Intent(
            name=name,
            version=_next_version(ledger, name),
            environment=environment,
            sequence=previous.promotion.sequence + 1 if previous else 1,
            previous=previous.sha256 if previous else None,
            run=run,
            commit=commit,
            installation=installation,
        )
        return ledger.append(INTENT_KIND, name, intent.model_dump(mode="json")).seq, intent


def pending_intents(ledger: Ledger) -> list[tuple[int, Intent]]:
    """Return the intents that were neither completed nor undone, oldest first, as pairs of entry number and intent."""
    closed = {
        entry.body.get("intent") for kind in (promotions.PROMOTION_KIND, UNDONE_KIND) for entry in ledger.entries(kind)
    }
    return [(seq, intent) for seq, intent in _all_intents(ledger) if seq not in closed]


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


def _next_version(ledger: Ledger, name: str) -> int:
    """Return the next version of a model. Those of undone promotions are reused unless a signed statement had them."""
    free = {entry.body.get("intent") for entry in ledger.entries(UNDONE_KIND, name) if not entry.body.get("named")}
    return 1 + max((intent.version for seq, intent in _all_intents(ledger, name) if seq not in free), default=0)
