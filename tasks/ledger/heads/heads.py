"""Signed heads of the ledger's tree. A change of earlier entries contradicts a head that was signed before.

A head states how many entries the ledger had at a time, and the root hash over them. It is signed with the machine key
`ledger` and stored under `.hallmark/heads`. `publish` (tasks/ledger/heads/publication.py) copies it to places where the
database's owner cannot rewrite it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator

from tasks.core.documents.document import Document, document_error_message, newer_version_hint
from tasks.core.errors import Refused
from tasks.core.formatting import format_exact_time, format_time
from tasks.core.params.values import Sha256
from tasks.core.utc import to_utc
from tasks.ledger.head_files import MAX_HEAD_BYTES
from tasks.ledger.tree.merkle import Frontier
from tasks.trust import dsse, validity
from tasks.trust.keys import Signer
from tasks.trust.validity import Key

HEAD_TYPE = "urn:hallmark:ledger-head:v1"


class VoidHead(Refused):
    """Raised if the ledger key that signed a head was not valid at the head's time, for example because it expired."""


class Head(Document):
    """Signed head of the ledger's tree: the predicate of a statement about the subject `ledger`.

    The digest of the subject is the root of the tree.
    """

    ledger: Sha256
    """Leaf hash of entry 1, which identifies the ledger."""
    size: Annotated[int, Field(ge=1, lt=2**63)]
    """Number of entries that the head covers."""
    root: Sha256
    peaks: list[Sha256]
    """Root hashes of the full subtrees, largest first. They are sufficient to compute `root` and to append entries."""
    time: Annotated[datetime, AfterValidator(to_utc)]

    @model_validator(mode="after")
    def _require_matching_root(self) -> Self:
        if self.tree.root().hex() != self.root or len(self.peaks) != self.size.bit_count():
            raise ValueError("the peaks of the head do not give its root")
        return self

    @property
    def tree(self) -> Frontier:
        return Frontier(self.size, tuple(map(bytes.fromhex, self.peaks)))

    @property
    def identity(self) -> tuple[str, int, str]:
        """Values that all heads of the same size have in common, unless the ledger was rewritten."""
        return self.ledger, self.size, self.root

    def describe(self) -> str:
        return f"{self.size:,} entries, root {self.root[:12]}, {format_exact_time(self.time)}"


def make_head(tree: Frontier, ledger: str, time: datetime) -> Head:
    peaks = [peak.hex() for peak in tree.peaks]
    return Head(ledger=ledger, size=tree.size, root=tree.root().hex(), peaks=peaks, time=time)


def sign_head(head: Head, signer: Signer) -> dict[str, Any]:
    return dsse.sign_statement(dsse.make_statement(HEAD_TYPE, {"ledger": head.root}, head.json_value), signer)


def verify_head(envelope: Any, trusted_keys: Sequence[Key]) -> Head:
    """Verify the envelope of a signed head, and return the head.

    The signing key must have been valid at the time in the head. Somebody who steals a key can backdate a head, but
    cannot withdraw heads that were published.

    Raises:
        VoidHead: The signing key was not valid at the head's time.
        Refused: No key signed the envelope, or its statement is not a head.
    """
    if not isinstance(envelope, dict):
        raise Refused("not a signed head: no JSON object")
    head = _parse_statement(dsse.unverified_statement(envelope))
    signer = next((key for key in trusted_keys if key.fingerprint in dsse.unverified_signers(envelope)), None)
    if signer and not signer.is_valid(head.time):
        dsse.verify_envelope(envelope, [signer.public_key])
        state = signer.describe_state(head.time)
        raise VoidHead(f"the ledger's key {signer.fingerprint} {state}, and this is of {format_time(head.time)}")
    validity.verify_at_time(envelope, trusted_keys, head.time, "the ledger")
    return head


def parse_head(data: bytes, trusted_keys: Sequence[Key]) -> tuple[Head, dict[str, Any]]:
    """Verify the content of a head's file, and return the head and its envelope.

    Raises:
        VoidHead: The signing key was not valid at the head's time.
        Refused: None of the keys signed the head, or the file is not in canonical form.
    """
    if len(data) > MAX_HEAD_BYTES:
        raise Refused(f"the head's file: no signed statement can be read here (more than {MAX_HEAD_BYTES:,} bytes)")
    envelope = dsse.parse_envelope(data, "the head's file")
    return verify_head(envelope, trusted_keys), envelope


def _parse_statement(statement: dict[str, Any]) -> Head:
    came = statement["predicateType"]
    try:
        head = Head.from_value(statement["predicate"])
    except ValueError as error:
        raise Refused(
            f"a signed statement that is no head ({document_error_message(error)}){newer_version_hint(came, HEAD_TYPE)}"
        ) from None
    if statement != dsse.make_statement(HEAD_TYPE, {"ledger": head.root}, head.json_value):
        raise Refused(
            f"a signed statement that is no head: {came}, or in another spelling{newer_version_hint(came, HEAD_TYPE)}"
        )
    return head
