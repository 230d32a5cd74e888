"""A person's look at what is readable of a source: on the ledger before anything is shown."""

from collections.abc import Callable
from typing import Any, Final, Literal

from tasks.core.config import checked_reason
from tasks.ledger.ledger import Ledger

TOKENS_READ: Final = "vault.read"
"""Of a record, whose tokens the vault reads."""
ROW_READ: Final = "source.read"
"""Of a row, as its source has it."""
SOUGHT: Final = "person.sought"
"""Of a person; its subject is `person`, since a token for each class of values stands for the one who was sought."""

Kind = Literal["vault.read", "source.read", "person.sought"]
"""Each is of the group `look` (tasks/ledger/kinds.py), by which an auditor finds them all."""


def record(ledger: Ledger, kind: Kind, about: str, person: str, reason: str, at: dict[str, Any]) -> None:
    """Who looks, why, and `at` what of it: `kind` is where it is read from, `about` the record or row.

    Raises InputError without a reason.
    """
    words = checked_reason(reason, "data is shown for a reason only; say it with --reason")
    ledger.append(kind, about, {"person": person, "reason": words, **at})


def at_tokens(ledger: Ledger, about: str, person: str, reason: str) -> Callable[[list[str]], None]:
    """What `Vault.reveal` calls before it reads: the look at these tokens of `about`, e.g. a record's id."""
    return lambda tokens: record(ledger, TOKENS_READ, about, person, reason, {"tokens": tokens})
