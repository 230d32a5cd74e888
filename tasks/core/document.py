"""What is signed or digested: a document that is known by the bytes it was read from, whatever its model says today.

A model gains fields with every version. Were a document that was read spelled anew to work out its digest, each new
field would stand in it, and nothing that was signed before would verify. So what is read remembers how it was spelled,
and so does every document inside it; what is made anew is spelled from its model.

Its type names its version, as `urn:hallmark:evidence:v1` does. The type of what is signed stands in the statement
around it (tasks/trust/dsse.py). A document that stands by itself says it in a field `type`, and is read as no other.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Self

from pydantic import ModelWrapValidatorHandler, PrivateAttr, ValidationError, ValidationInfo, model_validator

from tasks.core.config import Frozen
from tasks.core.files import canonical_json, sha256_bytes

_READ = object()
_VERSIONED = re.compile(r"(.+):v([1-9][0-9]*)")


class Document(Frozen):
    _kept: bytes | None = PrivateAttr(default=None)

    @classmethod
    def read(cls, value: Any) -> Self:
        """The document in a JSON value. Raises ValueError where it is none."""
        return cls.model_validate(value, context=_READ)

    @classmethod
    def read_bytes(cls, data: bytes) -> Self:
        """The document in a file. Raises ValueError where it is none."""
        try:
            document = cls.read(json.loads(data))
        except RecursionError:
            raise ValueError("it is nested too deep") from None
        document._kept = data
        return document

    @property
    def spelled(self) -> bytes:
        """Its bytes, which whatever names it by a digest is about."""
        return self._kept if self._kept is not None else canonical_json(self._value())

    @property
    def said(self) -> dict[str, Any]:
        """The JSON value that it is spelled from."""
        value: dict[str, Any] = json.loads(self.spelled)
        return value

    @property
    def sha256(self) -> str:
        """Of `spelled`."""
        return sha256_bytes(self.spelled)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy that says something else is spelled anew."""
        copy = super().model_copy(update=update, deep=deep)
        if update:
            copy._kept = None
        return copy

    def __eq__(self, other: object) -> bool:
        """Whether both say the same, however that is spelled."""
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def _value(self) -> dict[str, Any]:
        """From its model; documents inside it as they are spelled."""
        inside = {name: value.said for name, value in self if isinstance(value, Document)}
        return self.model_dump(mode="json") | inside

    @model_validator(mode="wrap")
    @classmethod
    def _keep(cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        own = cls.model_fields.get("type")
        if own and info.context is _READ and isinstance(value, dict):
            require_type(value.get("type"), own.default)
        document = handler(value)
        if info.context is _READ and isinstance(value, dict):
            document._kept = canonical_json(value)
        return document


def require_type(came: object, wanted: str) -> None:
    """Raises ValueError for a document of another type or version, or of none."""
    if came is None:
        raise ValueError(f"it names no type, expected {wanted}: it was made before formats had versions; make it anew")
    if came != wanted:
        raise ValueError(f"it is a {came}, expected {wanted}{newer(came, wanted)}")


def newer(came: object, wanted: str) -> str:
    """What to do about the type of a later version; empty for any other."""
    theirs, ours = _VERSIONED.fullmatch(str(came)), _VERSIONED.fullmatch(wanted)
    later = theirs and ours and theirs[1] == ours[1] and int(theirs[2]) > int(ours[2])
    return "; a newer Hallmark made it: install that version, or a later one" if later else ""


def why(error: Exception) -> str:
    """What is wrong with something that is no document of its kind, in words."""
    if not isinstance(error, ValidationError):
        return str(error) or type(error).__name__
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: " * bool(where) + first["msg"].removeprefix("Value error, ")
