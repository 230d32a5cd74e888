"""What goes to a browser to be signed, and what comes back, whatever it is about. The server never sees the key."""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.core.config import MOST_REASON
from tasks.core.errors import InputError
from tasks.core.files import canonical_json
from tasks.ledger.ledger import Entry
from tasks.policy.signed_entry import Draft
from tasks.trust import dsse, keys

Line = Annotated[str, Field(max_length=200)]


class Wanted(BaseModel):
    """What somebody wants, as their page says it."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(max_length=MOST_REASON)]
    public_key: Annotated[str, Field(max_length=1_000)]
    """OpenSSH public key line of the key that the browser has."""

    @property
    def line(self) -> str:
        """The key without its comment. Raises InputError for what is none."""
        keys.fingerprint(self.public_key)
        return keys.bare(self.public_key)


class Signature(BaseModel):
    """What was signed, and the signature."""

    payload: Annotated[str, Field(max_length=64_000)]
    """Base64 of the statement that was signed."""
    signature: Annotated[str, Field(max_length=2_000)]
    """Base64 of the bytes of a signature, as tasks/trust has it for the kind of key."""

    def sealed(self, line: str) -> dict[str, Any]:
        """The envelope. Raises InputError for what is no base64."""
        return dsse.sealed(_bytes(self.payload, "payload"), line, _bytes(self.signature, "signature"))


class ToSign(BaseModel):
    """What the browser signs; nothing is asked of it where the ledger says it already."""

    payload: str
    """Base64 of the statement, in canonical JSON."""
    payload_type: str = dsse.PAYLOAD_TYPE
    entry: int | None = None
    """The entry that says it already."""


class Done(BaseModel):
    entry: int
    """Of the ledger."""
    state: Literal["recorded"] = "recorded"
    said: str = ""
    """What follows from it, in words."""


def to_sign(drawn: Entry | Sequence[Draft]) -> ToSign:
    """Of a person's one draft."""
    if isinstance(drawn, Entry):
        return ToSign(payload="", entry=drawn.seq)
    (draft,) = drawn
    return encoded(draft.statement)


def encoded(statement: dict[str, Any]) -> ToSign:
    return ToSign(payload=base64.b64encode(canonical_json(statement)).decode())


def _bytes(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(f"{what}: expected base64") from None
