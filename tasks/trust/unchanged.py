"""Whether what somebody signed is still what is asked, once they have signed."""

from collections.abc import Sequence
from typing import Any

from tasks.core.errors import Refused


def require_same(signed: Sequence[dict[str, Any]], asked: Sequence[dict[str, Any]]) -> None:
    """Raises Refused where other statements are asked than were signed, whatever their times."""
    if [_undated(statement) for statement in signed] != [_undated(statement) for statement in asked]:
        raise changed()


def changed() -> Refused:
    return Refused(
        "what is to be signed has changed while it was being signed, by what somebody else recorded meanwhile; nothing "
        "was recorded. Look at it and sign it anew"
    )


def _undated(statement: dict[str, Any]) -> dict[str, Any]:
    return statement | {"predicate": {**statement["predicate"], "time": None}}
