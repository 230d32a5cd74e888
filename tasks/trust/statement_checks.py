"""Checks that statements signed elsewhere, such as in a browser, are recent and are the ones that were requested."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tasks.core.errors import Refused
from tasks.core.formatting import format_time
from tasks.core.json_text import canonical_json
from tasks.core.utc import to_utc

MAX_STATEMENT_AGE = timedelta(hours=12)
TIME_PATTERN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


def require_requested(
    signed_statements: Sequence[dict[str, Any]], requested_statements: Sequence[dict[str, Any]]
) -> None:
    """Verify that the signed statements equal those that would be requested now, except for their times.

    Raises:
        Refused: The statements differ, because something was recorded in the meantime.
    """
    if [canonical_json(_without_time(one)) for one in signed_statements] != [
        canonical_json(_without_time(one)) for one in requested_statements
    ]:
        raise statements_changed_error()


def statements_changed_error() -> Refused:
    return Refused(
        "what is to be signed has changed while it was being signed, by what somebody else recorded meanwhile; nothing "
        "was recorded. Look at it and sign it anew"
    )


def require_recent(statement: dict[str, Any], now: datetime) -> None:
    """Verify that a statement's time is recent. Somebody who signs with another program could have changed the time.

    Raises:
        Refused: The time is missing, older than MAX_AGE, or in the future.
    """
    said = statement["predicate"].get("time")
    if not isinstance(said, str) or not TIME_PATTERN.fullmatch(said):
        raise statements_changed_error()
    try:
        age = now - to_utc(datetime.fromisoformat(said))
    except ValueError:
        raise statements_changed_error() from None
    if not timedelta() <= age <= MAX_STATEMENT_AGE:
        raise Refused(
            f"what was signed says that it is of {statement['predicate']['time']}, and it is {format_time(now)}; "
            "nothing was recorded. Look at it and sign it anew"
        )


def _without_time(statement: dict[str, Any]) -> dict[str, Any]:
    return statement | {"predicate": {**statement["predicate"], "time": None}}
