"""What is signed or digested: a document that is known by the bytes it was read from, whatever its model says today.

A model gains fields with every version. Were a document that was read spelled anew to work out its digest, each new
field would stand in it, and nothing that was signed before would verify. So what is read remembers how it was spelled,
and so does every document inside it; what is made anew is spelled from its model.
"""

import json
from collections.abc import Mapping
from typing import Any, Self

from pydantic import ModelWrapValidatorHandler, PrivateAttr, ValidationInfo, model_validator

from tasks.core.config import Frozen
from tasks.core.files import canonical_json, sha256_bytes

_READ = object()


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
            found = cls.read(json.loads(data))
        except RecursionError:
            raise ValueError("it is nested too deep") from None
        found._kept = data
        return found

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
        found = handler(value)
        if info.context is _READ and isinstance(value, dict):
            found._kept = canonical_json(value)
        return found
