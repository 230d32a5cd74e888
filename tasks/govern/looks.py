"""A person's look at what is readable of a source: on the ledger before anything is shown."""

from typing import Any

from tasks.errors import InputError
from tasks.govern.ledger.ledger import Ledger


def record(ledger: Ledger, kind: str, about: str, person: str, reason: str, at: dict[str, Any]) -> None:
    """Who looks, why, and `at` what of it: `kind` is where it is read from, `about` the record or row.

    Raises InputError without a reason.
    """
    if not reason.strip():
        raise InputError("data is shown for a reason only; say it with --reason")
    ledger.append(kind, about, {"person": person, "reason": reason.strip(), **at})
