"""Template of a response: the form that every target of a task must have."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.params import citation_form
from tasks.core.params.values import NFC, AnswerKind, NonEmptyText

FieldType = Literal["text", "integer", "number", "boolean", "list", "object"]


def _validated_form(value: str) -> str:
    citation_form.compile_form(value)
    return value


def _validated_label(value: str) -> str:
    if value != value.strip():
        raise ValueError(f"expected a label without spaces around it, got {value!r}")
    return value


class Citation(FrozenModel):
    """Citation that a response must contain."""

    form: Annotated[
        str, Field(min_length=1, max_length=citation_form.MAX_FORM_CHARS), NFC, AfterValidator(_validated_form)
    ]
    """Form of the citation, for example `[DOC-{digits} §{digits}]`. A placeholder stands for 1 to 32 characters:
    `{digits}`, `{letters}`, or `{word}` for both."""
    kinds: Annotated[list[AnswerKind], Field(min_length=1)] = ["answer"]
    """Kinds of answers that must cite. By default, only `answer`: a refusal has no source to cite."""


class Response(FrozenModel):
    """Template of a task's responses. Stage `clean` quarantines records whose target does not have this form."""

    form: Literal["text", "label", "json"]
    """Form of every target. `text`: any text. `label`: one of `labels`. `json`: a JSON object with `fields`."""
    labels: list[Annotated[NonEmptyText, NFC, AfterValidator(_validated_label)]] = []
    """Allowed targets, if `form` is `label`."""
    fields: dict[Annotated[NonEmptyText, NFC], FieldType] = {}
    """Fields that every object has, with their types, if `form` is `json`. A target with another field is quarantined.
    Null is none of the types."""
    optional_fields: dict[Annotated[NonEmptyText, NFC], FieldType] = {}
    """Fields that an object can have, with their types, if `form` is `json`."""
    citation: Citation | None = None
    """Citation that every response must contain. Null: none."""

    @model_validator(mode="after")
    def _check_form(self) -> Self:
        given = {name for name in ("labels", "fields", "optional_fields", "citation") if getattr(self, name)}
        wanted = {"label": {"labels"}, "json": {"fields"}}.get(self.form, set())
        allowed = wanted | {"json": {"optional_fields", "citation"}, "text": {"citation"}}.get(self.form, set())
        if missing := sorted(wanted - given):
            raise ValueError(f"form {self.form} needs {' and '.join(missing)}")
        if needless := sorted(given - allowed):
            raise ValueError(f"form {self.form} has no {' and '.join(needless)}; leave that out, or change form")
        if twice := sorted(self.fields.keys() & self.optional_fields.keys()):
            raise ValueError(f"a field is required or optional, and {twice[0]!r} is both")
        return self
