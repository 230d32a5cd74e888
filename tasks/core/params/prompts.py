"""Section `prompts` of params.yaml."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.params import prompt_template
from tasks.core.params.response import Response
from tasks.core.params.values import NFC, Name

ADDED_FIELDS = ("version", "template", "response")
"""Fields that earlier versions of Hallmark did not have. They are left out of the JSON of a prompt that does not use
them, so that its digest stays the same."""


def _validated_template(value: str) -> str:
    prompt_template.parse_template(value)
    return value


class Prompt(FrozenModel):
    """Format in which the records of a task are presented to the model, and the form of its responses."""

    system: str = ""
    """System turn that is placed before the turns of each record; empty if there is none."""
    text_window: Annotated[int, Field(ge=16, le=1_000_000)] | None = None
    """Maximum number of tokens in a window of text, for continued pretraining. If it is set, the task's records are
    plain texts (`text` in the mapping of their source), and the model is trained on every token. Null: the records are
    conversations, and the model is trained only on the last turn of each."""
    version: Annotated[int, Field(ge=1)] | None = None
    """Version of system turn, template and response. Required with `template` or `response`. The data gate compares it
    with the version approved last: a changed prompt has another version."""
    template: (
        Annotated[
            str,
            Field(min_length=1, max_length=prompt_template.MAX_TEMPLATE_CHARS),
            NFC,
            AfterValidator(_validated_template),
        ]
        | None
    ) = None
    """Text of the last turn before the target, with the fields `{prompt}`, `{language}`, `{department}` and
    `{geography}`; `{{` and `}}` are braces. `{prompt}` is the turn as the record has it. Records without a value for
    a field are quarantined. Null: the turn as the record has it."""
    response: Response | None = None
    """Form that every target must have. Null: any."""

    @model_validator(mode="after")
    def _check_system(self) -> Self:
        if self.text_window is not None and self.system:
            raise ValueError("a text has no system turn: leave out system, or text_window")
        return self

    @model_validator(mode="after")
    def _check_templates(self) -> Self:
        used = [name for name in ("template", "response") if getattr(self, name) is not None]
        if self.text_window is not None and used:
            raise ValueError(f"a text has no turns: leave out {' and '.join(used)}, or text_window")
        if used and self.version is None:
            raise ValueError(f"{' and '.join(used)}: give them a version, beginning with `version: 1`")
        return self

    @model_serializer(mode="wrap")
    def _without_unused_fields(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        stated: dict[str, Any] = handler(self)
        return {
            name: value for name, value in stated.items() if name not in ADDED_FIELDS or getattr(self, name) is not None
        }


Prompts = Annotated[dict[Name, Prompt], Field(min_length=1)]
