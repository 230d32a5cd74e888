"""Requests and responses that all kinds of signed statements share. The server never sees the private key."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.core.documents.config import MAX_REASON_CHARS
from tasks.core.errors import InputError
from tasks.core.json_text import canonical_json
from tasks.ledger.ledger import Entry
from tasks.policy.signed_entry import Draft
from tasks.trust import dsse, keys

ShortText = Annotated[str, Field(max_length=200)]


class SigningRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=MAX_REASON_CHARS)]
    public_key: Annotated[str, Field(max_length=1_000)]
    """Public key of the browser, as a line in OpenSSH format."""

    @property
    def public_key_line(self) -> str:
        """Public key without its comment.

        Raises:
            InputError: `public_key` is not a public key.
        """
        keys.fingerprint(self.public_key)
        return keys.strip_comment(self.public_key)


class SignedStatement(BaseModel):
    payload: Annotated[str, Field(max_length=64_000)]
    """Signed statement, in base64."""
    signature: Annotated[str, Field(max_length=2_000)]
    """Signature, in base64. Its format depends on the type of the key (tasks/trust)."""

    def envelope(self, public_key_line: str) -> dict[str, Any]:
        """Return an envelope with the statement and its signature. The signature is not verified.

        `public_key_line` is the public key of the signer.

        Raises:
            InputError: Statement or signature is not base64.
        """
        return dsse.make_unverified_envelope(
            _decode_base64(self.payload, "payload"), public_key_line, _decode_base64(self.signature, "signature")
        )


class UnsignedStatement(BaseModel):
    """Statement for the browser to sign, or the number of the ledger entry that already contains it."""

    payload: str
    """Statement as canonical JSON, in base64; empty if there is nothing to sign."""
    payload_type: str = dsse.PAYLOAD_TYPE
    entry: int | None = None
    """Number of the ledger entry that already contains the statement; null if there is none."""


class RecordedStatement(BaseModel):
    entry: int
    state: Literal["recorded"] = "recorded"
    said: str = ""
    """Consequence of the signed statement, in words."""


def unsigned_or_recorded(drafts_or_entry: Entry | Sequence[Draft]) -> UnsignedStatement:
    """Return the statement of the only draft, or the number of the ledger entry that already contains it."""
    if isinstance(drafts_or_entry, Entry):
        return UnsignedStatement(payload="", entry=drafts_or_entry.seq)
    (draft,) = drafts_or_entry
    return unsigned_statement(draft.statement)


def unsigned_statement(statement: dict[str, Any]) -> UnsignedStatement:
    return UnsignedStatement(payload=base64.b64encode(canonical_json(statement)).decode())


def _decode_base64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(f"{what}: expected base64") from None
