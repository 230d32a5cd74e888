"""Signed heads of the ledger's tree: what makes a later change of its beginning show.

A head says that at a time the ledger had so many entries with this root hash. It is signed with the machine key
`ledger` and kept under `.hallmark/heads`. `publish` (tasks/ledger/heads/publish.py) takes it to where the
database's owner cannot rewrite it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from tasks.core.document import Document, newer, why
from tasks.core.errors import Refused
from tasks.core.moments import in_utc
from tasks.core.params.values import Sha256
from tasks.ledger.tree.merkle import Frontier
from tasks.trust import dsse, validity
from tasks.trust.keys import Signer
from tasks.trust.validity import Key, shown

HEAD = "urn:hallmark:ledger-head:v1"


class Void(Refused):
    """A head that one of the ledger's keys signed when it did not count: it had ended, was revoked, or not begun."""


class Head(Document):
    """The predicate of a head; its statement's subject is `ledger` with the root."""

    ledger: Sha256
    """Leaf hash of entry 1: which ledger it is."""
    size: Annotated[int, Field(ge=1, lt=2**63)]
    """How many entries."""
    root: Sha256
    peaks: list[Sha256]
    """Roots of the full subtrees, largest first, whose hash is `root`: enough to go on from this head alone."""
    time: Annotated[datetime, AfterValidator(in_utc)]

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
    return dsse.sign(dsse.statement(HEAD, {"ledger": head.root}, head.said), signer)


def verify(envelope: Any, those: Sequence[Key]) -> Head:
    """The head that one of the keys signed while it counted.

    Raises Void where one did at another time, Refused where none did or what they signed is no head. When that was the
    head itself says: whoever has a stolen key can date a head back, but not take back those that are published.
    """
    if not isinstance(envelope, dict):
        raise Refused("not a signed head: no JSON object")
    head = _head(dsse.peek(envelope))
    signer = next((key for key in those if key.fingerprint in dsse.signers(envelope)), None)
    if signer and not signer.counts(head.time):
        dsse.verify(envelope, [signer.public_key])
        state = signer.state_in_words(head.time)
        raise Void(f"the ledger's key {signer.fingerprint} {state}, and this is of {shown(head.time)}")
    validity.verify(envelope, those, head.time, "the ledger")
    return head


def parse(data: bytes, those: Sequence[Key]) -> tuple[Head, dict[str, Any]]:
    """The head in a file, and its envelope. Raises Refused as `verify`, and for another spelling."""
    envelope = dsse.parse(data, "the head's file")
    return verify(envelope, those), envelope


def _head(statement: dict[str, Any]) -> Head:
    came = statement["predicateType"]
    try:
        head = Head.read(statement["predicate"])
    except ValueError as error:
        raise Refused(f"a signed statement that is no head ({why(error)}){newer(came, HEAD)}") from None
    if statement != dsse.statement(HEAD, {"ledger": head.root}, head.said):
        raise Refused(f"a signed statement that is no head: {came}, or in another spelling{newer(came, HEAD)}")
    return head
