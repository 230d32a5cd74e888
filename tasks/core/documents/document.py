"""Base class of signed or digested documents, which keep the bytes that they were read from.

New versions of Hallmark add fields to models. If the digest of a document were computed from its model, each new field
would change the digest, and older signatures would no longer verify. So a document that was read keeps its bytes, as
does every document inside it, and digests are computed from these bytes. A new document is serialised from its model.

The type of a document includes its version, for example `urn:hallmark:evidence:v1`. For a signed document the type is
in the statement around it (tasks/trust/dsse.py). Every other document has a field `type`, which is checked when the
document is read.
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
_VERSIONED_TYPE = re.compile(r"(.+):v([1-9][0-9]*)")


class Document(FrozenModel):
    _bytes: bytes | None = PrivateAttr(default=None)

    @classmethod
    def from_value(cls, value: Any) -> Self:
        return cls.model_validate(value, context=_READING_CONTEXT)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        try:
            document = cls.from_value(parse(data))
        except RecursionError:
            raise ValueError("it is nested too deep") from None
        document._bytes = data
        return document

    @property
    def serialised(self) -> bytes:
        """Bytes that digests are computed from.

        These are the bytes that the document was read from, or canonical JSON for a new document.
        """
        return self._bytes if self._bytes is not None else canonical_json(self._model_value())

    @property
    def json_value(self) -> dict[str, Any]:
        value: dict[str, Any] = parse(self.serialised)
        return value

    @property
    def sha256(self) -> str:
        return sha256_bytes(self.serialised)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy the document.

        A copy with updates does not keep the original bytes. It is serialised from its fields.
        """
        copy = super().model_copy(update=update, deep=deep)
        if update:
            copy._bytes = None
        return copy

    def __eq__(self, other: object) -> bool:
        """Compare two documents by their fields, ignoring the bytes that they were read from."""
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def _model_value(self) -> dict[str, Any]:
        inside = {name: value.json_value for name, value in self if isinstance(value, Document)}
        return self.model_dump(mode="json") | inside

    @model_validator(mode="wrap")
    @classmethod
    def _keep_bytes(cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        own = cls.model_fields.get("type")
        if own and info.context is _READING_CONTEXT and isinstance(value, dict):
            require_document_type(value.get("type"), own.default)
        document = handler(value)
        if info.context is _READING_CONTEXT and isinstance(value, dict):
            document._bytes = canonical_json(value)
        return document


def require_document_type(actual_type: object, expected_type: str) -> None:
    """Check the type of a document.

    Args:
        actual_type: Type that the document states, or None if it states no type.
        expected_type: Expected type, including the version.

    Raises:
        ValueError: The type is missing, or is another type or version.
    """
    if actual_type is None:
        raise ValueError(
            f"it names no type, expected {expected_type}: it was made before formats had versions; make it anew"
        )
    if actual_type != expected_type:
        raise ValueError(
            f"it is a {actual_type}, expected {expected_type}{newer_version_hint(actual_type, expected_type)}"
        )


def newer_version_hint(actual_type: object, expected_type: str) -> str:
    """Return a hint to upgrade Hallmark if `actual_type` is a later version of `expected_type`, else empty text."""
    theirs, ours = _VERSIONED_TYPE.fullmatch(str(actual_type)), _VERSIONED_TYPE.fullmatch(expected_type)
    later = theirs and ours and theirs[1] == ours[1] and int(theirs[2]) > int(ours[2])
    return "; a newer Hallmark made it: install that version, or a later one" if later else ""


def document_error_message(error: Exception) -> str:
    """Return the message of an error that occurred while a document was read.

    For a ValidationError, this is the first problem and its location in the document. The message is truncated to
    MAX_ERROR_CHARS, because it can quote names of any length.
    """
    if isinstance(error, ValidationError):
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        text = f"{where}: " * bool(where) + first["msg"].removeprefix("Value error, ")
    else:
        text = (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
    return text[:MAX_ERROR_CHARS]
