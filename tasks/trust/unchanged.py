"""Whether what somebody signed is still what is asked, once they have signed."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from tasks.core.errors import Refused
from tasks.core.files import canonical_json
from tasks.core.moments import in_utc
from tasks.trust.validity import shown

LONGEST = timedelta(hours=12)
"""How long somebody may take to sign."""
SPELLED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
"""As statements spell times."""


def require_same(signed: Sequence[dict[str, Any]], asked: Sequence[dict[str, Any]]) -> None:
    """Raises Refused where other statements are asked than were signed, whatever their times."""
    if [canonical_json(_undated(one)) for one in signed] != [canonical_json(_undated(one)) for one in asked]:
        raise changed()


def changed() -> Refused:
    return Refused(
        "what is to be signed has changed while it was being signed, by what somebody else recorded meanwhile; nothing "
        "was recorded. Look at it and sign it anew"
    )


def require_fresh(statement: dict[str, Any], now: datetime) -> None:
    """Raises Refused where a statement says that it was made long ago, or later than now. Whoever signs elsewhere may
    write another time into it."""
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
