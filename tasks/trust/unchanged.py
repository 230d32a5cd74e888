"""Checks that statements signed elsewhere, such as in a browser, are those that were requested, and recent."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tasks.core.errors import Refused
from tasks.core.files import canonical_json
from tasks.core.moments import in_utc
from tasks.trust.validity import shown

LONGEST = timedelta(hours=12)
"""Maximum age of a signed statement."""
SPELLED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
"""Form of times in statements."""


def require_same(signed: Sequence[dict[str, Any]], asked: Sequence[dict[str, Any]]) -> None:
    """Check that the signed statements are those that would be requested now, except for their times.

    Raises:
        Refused: They are different, because something was recorded in the meantime.
    """
    if [canonical_json(_undated(one)) for one in signed] != [canonical_json(_undated(one)) for one in asked]:
        raise changed()


def changed() -> Refused:
    return Refused(
        "what is to be signed has changed while it was being signed, by what somebody else recorded meanwhile; nothing "
        "was recorded. Look at it and sign it anew"
    )


def require_fresh(statement: dict[str, Any], now: datetime) -> None:
    """Check the time of a statement, since a person who signs elsewhere may change it.

    Raises:
        Refused: The time is older than LONGEST, or in the future.
    """
    said = statement["predicate"].get("time")
    if not isinstance(said, str) or not SPELLED.fullmatch(said):
        raise changed()
    try:
        age = now - in_utc(datetime.fromisoformat(said))
    except ValueError:
        raise changed() from None
    if not timedelta() <= age <= LONGEST:
        raise Refused(
            f"what was signed says that it is of {statement['predicate']['time']}, and it is {shown(now)}; nothing was "
            "recorded. Look at it and sign it anew"
        )


def _undated(statement: dict[str, Any]) -> dict[str, Any]:
    return statement | {"predicate": {**statement["predicate"], "time": None}}
