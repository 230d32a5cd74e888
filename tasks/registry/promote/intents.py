"""What a promotion writes down before it starts, so that whatever a crash leaves can be finished or undone."""

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from tasks.core import files, locks
from tasks.core.config import Frozen
from tasks.core.params.values import Name, Sha256
from tasks.ledger.ledger import Ledger
from tasks.registry.release import promotions

INTENDED = "promotion.intended"
UNDONE = "promotion.undone"
LOCK = "promotion.lock"
INSTALLATION = "installation"
"""File below `.hallmark/`: a random name, so that machines with one ledger tell their intents apart."""


class Intent(Frozen):
    """The body of a `promotion.intended` entry; its subject is the name of the model."""

    name: Name
    version: Annotated[int, Field(ge=1)]
    environment: Name
    sequence: int
    previous: Sha256 | None
    """`dsse.digest` of the statement in force when it started."""
    run: str
    commit: str
    installation: str = ""
    """Where it was started, and what a crash left of it lies; empty in entries of before there were names."""

    @property
    def label(self) -> str:
        return f"{self.name}-{self.version}"


def turn(state: Path) -> AbstractContextManager[None]:
    """Hold this machine's right to promote, once whoever has it is done.

    An intent of this installation that is pending while one holds it was left by a crash. Between machines the ledger
    decides: see `tasks.registry.promote.promotion`.
    """
    return locks.turn(state / LOCK, "another promotion or rollback is under way")


def attempt(state: Path) -> AbstractContextManager[bool]:
    """The same; yields False where another process has it."""
    return locks.attempt(state / LOCK)


def is_held(state: Path) -> bool:
    """Whether a process promotes now. Writes nothing."""
    return locks.is_held(state / LOCK)


def installation(state: Path) -> str:
    """The name of this installation, given at its first promotion."""
    files.write_new(state / INSTALLATION, uuid.uuid4().hex.encode())
    return (state / INSTALLATION).read_text()


def known_installation(state: Path) -> str:
    """The same; empty where it promoted nothing yet."""
    path = state / INSTALLATION
    return path.read_text() if path.exists() else ""


def intend(
    ledger: Ledger, name: str, run: str, commit: str, environment: str, previous: promotions.Signed | None, where: str
) -> tuple[int, Intent]:
    """Record an intent with the next version and sequence number, and return it with its `seq` in the ledger.

    `where` is the `installation`.
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
            installation=where,
        )
        return ledger.append(INTENDED, name, intent.model_dump(mode="json")).seq, intent


def pending(ledger: Ledger) -> list[tuple[int, Intent]]:
    """Intents that were neither carried out nor undone, oldest first, with their `seq`."""
    closed = {entry.body.get("intent") for kind in (promotions.MADE, UNDONE) for entry in ledger.entries(kind)}
    return [(seq, intent) for seq, intent in _every(ledger) if seq not in closed]


def undone(ledger: Ledger, seq: int, name: str, reason: str, named: bool) -> None:
    """Record that an intent came to nothing. `named`: its bundle had its name, so MLflow may have used the number."""
    ledger.append(UNDONE, name, {"intent": seq, "reason": reason, "named": named})


def _every(ledger: Ledger, name: str | None = None) -> Iterator[tuple[int, Intent]]:
    for entry in ledger.entries(INTENDED, name):
        try:
            yield entry.seq, Intent.model_validate(entry.body)
        except ValidationError:
            continue  # not written by Hallmark; it names nothing that could be touched


def _next_version(ledger: Ledger, name: str) -> int:
    """Numbers of promotions that came to nothing are given again, unless MLflow may have used them up."""
    free = {entry.body.get("intent") for entry in ledger.entries(UNDONE, name) if not entry.body.get("named")}
    return 1 + max((intent.version for seq, intent in _every(ledger, name) if seq not in free), default=0)
