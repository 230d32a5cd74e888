"""Checks that statements signed elsewhere, such as in a browser, are those that were requested, and recent."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tasks.core.errors import Refused
from tasks.core.formatting import format_time
from tasks.core.json_text import canonical_json
from tasks.core.utc import to_utc

MAX_AGE = timedelta(hours=12)
TIME_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


def require_requested(signed: Sequence[dict[str, Any]], asked: Sequence[dict[str, Any]]) -> None:
    """Verify that the signed statements equal those that would be requested now, except for their times.

    Raises:
        Refused: The statements differ, because something was recorded in the meantime.
    """
    if [canonical_json(_without_time(one)) for one in signed] != [canonical_json(_without_time(one)) for one in asked]:
        raise changed_error()


def changed_error() -> Refused:
    return Refused(
        "what is to be signed has changed while it was being signed, by what somebody else recorded meanwhile; nothing "
        "was recorded. Look at it and sign it anew"
    )


def require_recent(statement: dict[str, Any], now: datetime) -> None:
    """Verify that a statement's time is recent. A person who signs with another program could have changed it.

    Raises:
        Refused: The time is missing, older than MAX_AGE, or in the future.
    """
    said = statement["predicate"].get("time")
    if not isinstance(said, str) or not TIME_FORM.fullmatch(said):
        raise changed_error()
    try:
        age = now - to_utc(datetime.fromisoformat(said))
    except ValueError:
        raise changed_error() from None
    if not timedelta() <= age <= MAX_AGE:
        raise Refused(
            f"what was signed says that it is of {statement['predicate']['time']}, and it is {format_time(now)}; "
            "nothing was recorded. Look at it and sign it anew"
        )


def _without_time(statement: dict[str, Any]) -> dict[str, Any]:
    return statement | {"predicate": {**statement["predicate"], "time": None}}
