"""Ledger entries of data access. An entry is written before any data is shown."""

from collections.abc import Callable
from typing import Any, Final, Literal

from tasks.core.documents.config import validate_reason
from tasks.ledger.ledger import Ledger

TOKENS_READ: Final = "vault.read"
"""Kind of ledger entry for reading a record's values from the vault. The entry lists the tokens of the values."""
ROW_READ: Final = "source.read"
PERSON_SOUGHT: Final = "person.sought"
"""Kind of ledger entry for a search for a person. The subject of the entry is the literal word `person`; only the
tokens in its body identify the person."""

AccessKind = Literal["vault.read", "source.read", "person.sought"]
"""Kinds of ledger entries about data access: the group `look` in tasks/ledger/kinds.py."""


def record_access(
    ledger: Ledger, kind: AccessKind, subject: str, person: str, reason: str, details: dict[str, Any]
) -> None:
    """Record a data access in the ledger.

    Args:
        ledger: Ledger of the installation.
        kind: Kind of access.
        subject: Record or row that is read; the subject of the entry.
        person: Id of the person who reads it.
        reason: Reason that the person gives.
        details: Further values for the entry, such as tokens or a digest.

    Raises:
        InputError: The reason is empty, too long, or has invisible characters.
    """
    words = validate_reason(reason, "why you look")
    ledger.append(kind, subject, {"person": person, "reason": words, **details})


def token_recorder(ledger: Ledger, subject: str, person: str, reason: str) -> Callable[[list[str]], None]:
    """Return a callback for `Vault.reveal` that records in the ledger which tokens of a record are revealed."""
    return lambda tokens: record_access(ledger, TOKENS_READ, subject, person, reason, {"tokens": tokens})
