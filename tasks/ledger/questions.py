"""Which questions stand open, so that nobody reads the whole ledger for them.

An entry of kind ASKED asks what is attached to it, at the `gate` of its subject, in the place of what was asked there
before. One of kind CLOSED with the digest of that under `sha256` closes it.
"""

from collections.abc import Mapping
from typing import Any

from tasks.ledger.attached import NAMED

ASKED = "gate.asked"
CLOSED = "gate.closed"


class Open:
    """What stands open after the entries that it has taken."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, str], tuple[int, str]] = {}

    def take(self, seq: int, kind: str, subject: str, body: Mapping[str, Any]) -> None:
        """The next entry."""
        if kind == ASKED and isinstance(gate := body.get("gate"), str):
            self._asked[subject, gate] = seq, str(body.get(NAMED))
        elif kind == CLOSED:
            closed = [at for at, (_, sha256) in self._asked.items() if (at[0], sha256) == (subject, body.get("sha256"))]
            for at in closed:
                del self._asked[at]

    @property
    def seqs(self) -> set[int]:
        return {seq for seq, _ in self._asked.values()}
