"""Signed heads of the ledger's tree: what makes a later change of its beginning show.

A head says that at a time the ledger had so many entries with this root hash. It is signed with the machine key
`ledger` and kept under `.hallmark/heads`. `publish` (tasks/govern/publish.py) takes it to where the database's owner
cannot rewrite it.
"""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from tasks.config import Frozen
from tasks.errors import Refused
from tasks.files import canonical_json
from tasks.govern import dsse
from tasks.govern.keys import Signer
from tasks.govern.merkle import Frontier
from tasks.params import Sha256

HEAD = "urn:hallmark:ledger-head:v1"


def _in_utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise ValueError("a time needs its zone")
    return moment.astimezone(UTC)


class Head(Frozen):
    """The predicate of a head; its statement's subject is `ledger` with the root."""

    ledger: Sha256
    """Leaf hash of entry 1: which ledger it is."""
    size: Annotated[int, Field(ge=1)]
    """How many entries."""
    root: Sha256
    peaks: list[Sha256]
    """Roots of the full subtrees, largest first, whose hash is `root`: enough to go on from this head alone."""
    time: Annotated[datetime, AfterValidator(_in_utc)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.tree.root().hex() != self.root or len(self.peaks) != self.size.bit_count():
            raise ValueError("the peaks of the head do not give its root")
        return self

    @property
    def tree(self) -> Frontier:
        return Frontier(self.size, tuple(map(bytes.fromhex, self.peaks)))

    @property
    def facts(self) -> tuple[str, int, str]:
        """What two heads of one size must agree on."""
        return self.ledger, self.size, self.root

    def describe(self) -> str:
        return f"{self.size:,} entries, root {self.root[:12]}, {self.time:%Y-%m-%d %H:%M:%S} UTC"


def of(tree: Frontier, ledger: str, time: datetime) -> Head:
    """A head of a tree. `ledger` is the leaf hash of its entry 1, in hex."""
    peaks = [peak.hex() for peak in tree.peaks]
    return Head(ledger=ledger, size=tree.size, root=tree.root().hex(), peaks=peaks, time=time)


def sign(head: Head, signer: Signer) -> dict[str, Any]:
    """The head's DSSE envelope."""
    return dsse.sign(dsse.statement(HEAD, {"ledger": head.root}, head.model_dump(mode="json")), signer)


def verify(envelope: Any, lines: list[str]) -> Head:
    """The head that one of the public key lines signed. Raises Refused where none did, or what they signed is none."""
    if not isinstance(envelope, dict):
        raise Refused("not a signed head: no JSON object")
    return _head(dsse.verify(envelope, lines))


def parse(data: bytes, lines: list[str]) -> tuple[Head, dict[str, Any]]:
    """The head in a file, and its envelope. Raises Refused as `verify`, and for another spelling."""
    try:
        envelope = json.loads(data)
        if canonical_json(envelope) != data:
            raise Refused("the head's file is not in canonical form; it was changed after it was signed")
    except (ValueError, RecursionError) as error:
        raise Refused(f"no signed head can be read ({error})") from None
    return verify(envelope, lines), envelope


def _head(statement: dict[str, Any]) -> Head:
    try:
        head = Head.model_validate(statement["predicate"])
    except ValidationError as error:
        raise Refused(f"a signed statement that is no head ({error.errors()[0]['msg']})") from None
    if statement != dsse.statement(HEAD, {"ledger": head.root}, head.model_dump(mode="json")):
        raise Refused(f"a signed statement that is no head: {statement['predicateType']}, or in another spelling")
    return head
