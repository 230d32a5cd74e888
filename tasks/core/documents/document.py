"""Base class of signed or digested documents, which keep the bytes that they were read from.

Models gain fields with every version. If the digest of a document were computed from its model, each new field would
change it, and older signatures would no longer verify. So a document that was read, and every document inside it, keeps
its bytes, and its digest is computed from them. A new document is serialised from its model.

The type of a document includes its version, for example `urn:hallmark:evidence:v1`. For a signed document the type is
in the statement around it (tasks/trust/dsse.py). Any other document has a field `type`, which is checked when it is
read.
"""

import re
from collections.abc import Mapping
from typing import Any, Self

from pydantic import ModelWrapValidatorHandler, PrivateAttr, ValidationError, ValidationInfo, model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.files import sha256_bytes
from tasks.core.json_text import canonical_json, parse

MAX_ERROR_CHARS = 1_000
_READING_CONTEXT = object()
_VERSIONED = re.compile(r"(.+):v([1-9][0-9]*)")


class Document(FrozenModel):
    _bytes: bytes | None = PrivateAttr(default=None)

    @classmethod
    def from_value(cls, value: Any) -> Self:
        """Read a document from a JSON value.

        Raises:
            ValueError: The value is not such a document.
        """
        return cls.model_validate(value, context=_READING_CONTEXT)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a document from the content of a file.

        Raises:
            ValueError: The content is not such a document.
        """
        try:
            document = cls.from_value(parse(data))
        except RecursionError:
            raise ValueError("it is nested too deep") from None
        document._bytes = data
        return document

    @property
    def serialised(self) -> bytes:
        """Serialised document, over which digests are computed: the bytes that it was read from, or canonical JSON."""
        return self._bytes if self._bytes is not None else canonical_json(self._model_value())

    @property
    def json_value(self) -> dict[str, Any]:
        """Document as a JSON value, parsed from `spelled`."""
        value: dict[str, Any] = parse(self.serialised)
        return value

    @property
    def sha256(self) -> str:
        """SHA-256 of `spelled`."""
        return sha256_bytes(self.serialised)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy the document; a copy with updates is serialised from its model."""
        copy = super().model_copy(update=update, deep=deep)
        if update:
            copy._bytes = None
        return copy

    def __eq__(self, other: object) -> bool:
        """Compare the fields, whatever bytes the documents were read from."""
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def _model_value(self) -> dict[str, Any]:
        inside = {name: value.json_value for name, value in self if isinstance(value, Document)}
        return self.model_dump(mode="json") | inside

    @model_validator(mode="wrap")
    @classmethod
    def _keep_bytes(cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        own = cls.model_fields.get("type")
        if own and info.context is _READING_CONTEXT and isinstance(value, dict):
            require_type(value.get("type"), own.default)
        document = handler(value)
        if info.context is _READING_CONTEXT and isinstance(value, dict):
            document._bytes = canonical_json(value)
        return document


def require_type(came: object, wanted: str) -> None:
    """Check the type of a document.

    Raises:
        ValueError: The type is missing, or is another type or version.
    """
    if came is None:
        raise ValueError(f"it names no type, expected {wanted}: it was made before formats had versions; make it anew")
    if came != wanted:
        raise ValueError(f"it is a {came}, expected {wanted}{newer_version_hint(came, wanted)}")


def newer_version_hint(came: object, wanted: str) -> str:
    """Return advice for an error message if `came` is a later version of the type `wanted`; empty otherwise."""
    theirs, ours = _VERSIONED.fullmatch(str(came)), _VERSIONED.fullmatch(wanted)
    later = theirs and ours and theirs[1] == ours[1] and int(theirs[2]) > int(ours[2])
    return "; a newer Hallmark made it: install that version, or a later one" if later else ""


def error_text(error: Exception) -> str:
    """Return a message for an error that was raised while a document was read: its first problem, with its place.

    A name in the document may be of any length, so a long message is cut.
    """
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        text = f"{where}: " * bool(where) + first["msg"].removeprefix("Value error, ")
    else:
        text = (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
    return text[:MAX_ERROR_CHARS]
