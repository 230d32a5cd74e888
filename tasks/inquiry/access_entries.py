"""Data access: a ledger entry is written before anything is shown."""

from collections.abc import Callable
from typing import Any, Final, Literal

from tasks.core.documents.config import checked_reason
from tasks.ledger.ledger import Ledger

TOKENS_READ: Final = "vault.read"
"""Kind of ledger entry for reading a record's values from the vault. The entry lists the tokens of the values."""
ROW_READ: Final = "source.read"
PERSON_SOUGHT: Final = "person.sought"
"""Kind of ledger entry for a search for a person. Its subject is the word `person`; only tokens in its body identify
the person."""

AccessKind = Literal["vault.read", "source.read", "person.sought"]
"""Kinds of ledger entries about data access: the group `look` in tasks/ledger/kinds.py."""


def record_access(ledger: Ledger, kind: AccessKind, about: str, person: str, reason: str, at: dict[str, Any]) -> None:
    """Record a data access in the ledger.

    Args:
        ledger: Ledger of the installation.
        kind: Kind of access.
        about: Record or row that is read; the subject of the entry.
        person: Id of the person who reads it.
        reason: Reason that the person gives.
        at: Further values for the entry, such as tokens or a digest.

    Raises:
        InputError: The reason is empty, too long, or has invisible characters.
    """
    words = checked_reason(reason, "why you look")
    ledger.append(kind, about, {"person": person, "reason": words, **at})


def token_recorder(ledger: Ledger, about: str, person: str, reason: str) -> Callable[[list[str]], None]:
    """Return the callback for `Vault.reveal` that records the access to the tokens of a record in the ledger."""
    return lambda tokens: record_access(ledger, TOKENS_READ, about, person, reason, {"tokens": tokens})
