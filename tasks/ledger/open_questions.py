"""Open questions of gates, found without reading the whole ledger.

An entry of kind ASKED requests a decision about the attached evidence, at the gate and run that it names. It replaces
an earlier question of the same gate and run. An entry of kind CLOSED with the SHA-256 of the evidence closes the
question.
"""

from collections.abc import Mapping
from typing import Any

from tasks.ledger.attachments import DIGEST_KEY

ASKED = "gate.asked"
CLOSED = "gate.closed"


class OpenQuestions:
    def __init__(self) -> None:
        self._asked: dict[tuple[str, str], tuple[int, str]] = {}

    def apply(self, seq: int, kind: str, subject: str, body: Mapping[str, Any]) -> None:
        if kind == ASKED and isinstance(gate := body.get("gate"), str):
            self._asked[subject, gate] = seq, str(body.get(DIGEST_KEY))
        elif kind == CLOSED:
            closed = [at for at, (_, sha256) in self._asked.items() if (at[0], sha256) == (subject, body.get("sha256"))]
            for at in closed:
                del self._asked[at]

    @property
    def seqs(self) -> set[int]:
        return {seq for seq, _ in self._asked.values()}
