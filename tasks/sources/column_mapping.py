"""Mapping of a source's columns to the fields of a record, and values that all records share."""

from typing import Annotated, Any, Literal, Self

from pydantic import SerializerFunctionWrapHandler, field_serializer, field_validator, model_serializer, model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import NFC, AnswerKind, Name, NonEmptyText
from tasks.sources.conversation_mapping import ConversationMapping

OPTIONAL_PARTS = ("document", "heading", "conversation", "origin", "generator", "generator_prompt", "parents")
"""Keys of a mapping that earlier versions of Hallmark did not write."""
GENERATOR_PARTS = ("generator", "generator_prompt")
"""Keys of `constants` that earlier versions of Hallmark did not write."""

UNKNOWN_LANGUAGE = "und"
"""Language of a record whose source does not say its language (ISO 639-2)."""


class ColumnMapping(FrozenModel):
    """Mapping of a source's columns to the fields of a record.

    Map either `messages`, or `prompt` and `response`, or `text`, or `conversation`.
    """

    prompt: str | None = None
    """Column with the user's text."""
    response: str | dict[Annotated[str, NFC], str] | None = None
    """Column with the target text. For a JSON target, this can be a mapping of the target's fields to columns, from
    which the JSON object is built."""
    messages: str | None = None
    """Column with a list of {role, content} turns. The last turn is the target."""
    text: str | None = None
    """Column with plain text for continued pretraining. The task of such records requires a `text_window` in section
    `prompts` of params.yaml. Rules and expectations treat the text as the prompt of a record without a target."""
    conversation: ConversationMapping | None = None
    """Columns from which single messages are joined to conversations. Other mapped columns are those of the last
    message."""
    kind: str | None = None
    """Column with the kind of answer: answer, refuse, escalate or clarify."""
    language: str | None = None
    """Column with the language, for example `en`."""
    department: str | None = None
    """Column with the department. Results are also reported by department."""
    geography: str | None = None
    """Column with the country or region."""
    policy_tags: str | None = None
    """Column with tags, as a list or as text separated by `;`."""
    effective_from: str | None = None
    """Column with the ISO 8601 date from which a record is valid."""
    retired_at: str | None = None
    """Column with the ISO 8601 date from which a record is no longer used."""
    labelled_by: str | None = None
    """Column with the person or team that labelled a record. `protect` sets how names of people are replaced."""
    document: str | None = None
    """Column with the name of the document that a record is a part of, such as the path of a file. Near-identical texts
    of different documents are then no editions of each other. Give editions of one document the same name."""
    heading: str | None = None
    """Column with the heading, or path of headings, of the part. Texts below different headings of a document are then
    no editions of each other either."""
    split: str | None = None
    """Column with the partition of each record: `train`, `test` or empty. An empty value is as if the source had no
    `split`."""
    origin: str | None = None
    """Column with the origin of each record: `source`, `expert` or `synthetic`. An empty value means
    `constants.origin`."""
    generator: str | None = None
    """Column with the name and version of the model or script that made a synthetic record."""
    generator_prompt: str | None = None
    """Column with the prompt by which a synthetic record was generated, as text or as its SHA-256 in hex."""
    parents: str | None = None
    """Column with the records that a synthetic record was made from: SOURCE:ROW or record ids, as a list or as text
    separated by `;`. Empty: the record was made from none."""

    @field_validator("response", mode="before")
    @classmethod
    def _response_from_pairs(cls, value: Any) -> Any:
        return dict(value) if isinstance(value, list) and all(isinstance(pair, list) for pair in value) else value

    @field_serializer("response", when_used="json")
    def _response_as_pairs(self, value: str | dict[str, str] | None) -> str | list[list[str]] | None:
        # inputs/sources.json sorts its keys, but the model learns to write the fields in the order given here.
        return [list(pair) for pair in value.items()] if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _require_one_text_form(self) -> Self:
        pair = self.prompt is not None and self.response is not None
        either = self.prompt is not None or self.response is not None
        forms = (pair, self.messages is not None, self.text is not None, self.conversation is not None)
        if sum(forms) != 1 or (either and not pair):
            raise ValueError("map either `messages`, or both `prompt` and `response`, or `text`, or `conversation`")
        return self

    @model_validator(mode="after")
    def _require_document_of_heading(self) -> Self:
        if self.heading is not None and self.document is None:
            raise ValueError("`heading` is of a `document`: map that too")
        return self

    @model_serializer(mode="wrap")
    def _leave_out_missing_parts(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out `OPTIONAL_PARTS` that are not mapped, so that digests of earlier mappings stay."""
        mapping: dict[str, Any] = serialise(self)
        return {name: value for name, value in mapping.items() if name not in OPTIONAL_PARTS or value is not None}

    def mapped_columns(self) -> set[str]:
        named = [value for name, value in self if isinstance(value, str)]
        fields = self.response.values() if isinstance(self.response, dict) else ()
        return {*named, *fields, *(self.conversation.columns() if self.conversation else ())}


class SourceConstants(FrozenModel):
    """Values that all records of a source share."""

    task: Name
    """Task of the records, which must be a key of `prompts` in params.yaml."""
    kind: AnswerKind | None = None
    """Kind of answer in all records: answer, refuse, escalate or clarify."""
    language: Annotated[str, NFC] | None = None
    """Language of the records, for example `en`."""
    department: Annotated[str, NFC] | None = None
    """Department of the records. Results are also reported by department."""
    geography: Annotated[str, NFC] | None = None
    """Country or region of the records."""
    policy_tags: list[Annotated[str, NFC]] = []
    """Tags that are added to every record of the source."""
    origin: Literal["source", "expert", "synthetic", "simulated"] = "source"
    """Origin of the records: source, expert, synthetic or simulated. Synthetic records are generated to add to others;
    each of them names its generator, and is refused by further rules. Simulated records stand in for real ones, as in
    a sample or a drill, and are treated as real ones."""
    generator: NonEmptyText | None = None
    """Name and version of the model or script that made the synthetic records of the source."""
    generator_prompt: NonEmptyText | None = None
    """Prompt by which the synthetic records of the source were generated, as text or as its SHA-256 in hex."""
    labelled_by: Annotated[str, NFC] | None = None
    """Team that labelled the records."""
    split: Literal["train", "test"] | None = None
    """Earlier place of the source's own key `split`, which is still read."""

    @model_serializer(mode="wrap")
    def _leave_out_missing_generator(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out `GENERATOR_PARTS` that are not stated, so that digests of earlier constants stay."""
        constants: dict[str, Any] = serialise(self)
        return {name: value for name, value in constants.items() if name not in GENERATOR_PARTS or value is not None}
