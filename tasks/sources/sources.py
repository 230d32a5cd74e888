"""Inventory of the sources, sources.yaml, and the Great Expectations suites beside it."""

import os
import platform
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, Field, field_serializer, field_validator, model_validator

from tasks.core.documents import config
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.params.values import NFC, Name, Sha256, Text
from tasks.core.steps.kinds import known_kind
from tasks.sources.protection import Category, Protection, Term


class ColumnMapping(FrozenModel):
    """Columns of a source, by the field of a record that they become.

    A source maps either `messages`, or `prompt` and `response`, or `text`.
    """

    prompt: str | None = None
    """Column with the user's text."""
    response: str | dict[Annotated[str, NFC], str] | None = None
    """Column with the target text; or a mapping of JSON fields to columns, whose values become one JSON object."""
    messages: str | None = None
    """Column with a list of {role, content} turns; the last one is the target."""
    text: str | None = None
    """Column with plain text for continued pretraining; its task needs a `text_window` in params.yaml: prompts. Rules
    and expectations treat the text as the prompt of a record without a target."""
    kind: str | None = None
    """Column with the kind of answer: answer, refuse, escalate or clarify."""
    language: str | None = None
    """Column with the language, e.g. en."""
    department: str | None = None
    """Column with the department, by which results are reported."""
    geography: str | None = None
    """Column with the country or region."""
    policy_tags: str | None = None
    """Column with tags, as a list or as text separated by `;`."""
    effective_from: str | None = None
    """Column with the ISO 8601 date from which a record is valid."""
    retired_at: str | None = None
    """Column with the ISO 8601 date from which a record is no longer used."""
    labelled_by: str | None = None
    """Column with the person or team that labelled a record; a person is replaced as `protect` says of names."""
    split: str | None = None
    """Column with the partition that a record is fixed to: train, test or empty."""

    @field_validator("response", mode="before")
    @classmethod
    def _from_pairs(cls, value: Any) -> Any:
        return dict(value) if isinstance(value, list) and all(isinstance(pair, list) for pair in value) else value

    @field_serializer("response", when_used="json")
    def _as_pairs(self, value: str | dict[str, str] | None) -> str | list[list[str]] | None:
        # inputs/sources.json sorts its keys, but the model learns to write the fields in the order given here.
        return [list(pair) for pair in value.items()] if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        pair = self.prompt is not None and self.response is not None
        either = self.prompt is not None or self.response is not None
        forms = (pair, self.messages is not None, self.text is not None)
        if sum(forms) != 1 or (either and not pair):
            raise ValueError("map either `messages`, or both `prompt` and `response`, or `text`")
        return self

    def columns(self) -> set[str]:
        named = [value for name, value in self if name != "response" and value is not None]
        response = {"": self.response} if isinstance(self.response, str) else self.response or {}
        return set(named) | set(response.values())


class Constants(FrozenModel):
    """Values that all records of the source share."""

    task: Name
    """Task of the records, a key of `prompts` in params.yaml."""
    kind: Literal["answer", "refuse", "escalate", "clarify"] | None = None
    """Kind of answer: answer, refuse, escalate or clarify."""
    language: Annotated[str, NFC] | None = None
    """Language, e.g. en."""
    department: Annotated[str, NFC] | None = None
    """Department, by which results are reported."""
    geography: Annotated[str, NFC] | None = None
    """Country or region."""
    policy_tags: list[Annotated[str, NFC]] = []
    """Tags of every record."""
    origin: Literal["source", "expert", "synthetic"] = "source"
    """Origin of the records: source, expert or synthetic."""
    labelled_by: Annotated[str, NFC] | None = None
    """Team that labelled the records."""
    split: Literal["train", "test"] | None = None
    """Partition that the records are fixed to."""


MAX_DAYS = 365_000
"""Maximum number of days in a period: a thousand years, so that dates stay within the calendar."""
MAX_AUTHORITY = 1_000_000
"""Maximum absolute value of `authority`, which must fit into the columns of tables."""
Days = Annotated[int, Field(ge=1, le=MAX_DAYS)]
Label = Literal["department", "geography", "language", "policy_tags", "labelled_by"]
"""Field of a record that holds a short value from the source. Messages are not such a field."""
Terms = dict[Category, list[Term]]


def _validated_delimiter(value: str) -> str:
    if len(value) != 1 or value in '"\r\n\0':
        raise ValueError(
            f'expected one character in double quotes that is no quote and no line end, such as ";" or "\\t", got '
            f"{value!r}"
        )
    return value


class Source(FrozenModel):
    """Source of the data: its location, the meaning of its columns, and the people who answer for it."""

    id: Name
    """Name of the source in commands and records."""
    kind: Annotated[str, AfterValidator(known_kind)]
    """Format of the file. Text may be gzip-compressed, whatever the name of the file."""
    location: Text
    """Path, relative to the repository unless it is absolute, or s3://bucket/key. `${NAME}` and `${NAME:-default}` are
    filled from the environment when the file is opened, so that no machine's paths are committed; policy.yaml lists the
    permitted names under `location_variables`. Messages show the location as it is written here, and never the values
    of its variables."""
    encoding: str = "utf-8"
    """Encoding of text: a Python codec name."""
    delimiter: Annotated[str, AfterValidator(_validated_delimiter)] = ","
    """Delimiter of csv: one character, a tab as `"\\t"`."""
    max_unpacked_bytes: Annotated[int, Field(ge=1)] = 512 << 20
    """Maximum number of bytes that gzip or Parquet may unpack to; the default is 512 MiB. A source that exceeds this
    limit or one of the limits below is refused: a few kilobytes can unpack to more than memory and time allow."""
    max_rows: Annotated[int, Field(ge=1)] = 2_000_000
    """Maximum number of rows, including blank lines."""
    max_columns: Annotated[int, Field(ge=1)] = 10_000
    """Maximum number of columns, mapped or not: names of fields in jsonl, parts of lists and structs in parquet."""
    max_row_bytes: Annotated[int, Field(ge=1)] = 8 << 20
    """Maximum size of one row: its characters in text, the bytes of its mapped values in parquet. The default is 8 MiB,
    some 3,000 pages of text."""
    owner: Name
    """Person in people.yaml who answers for the data and decides on it at the data gate."""
    authority: Annotated[int, Field(ge=-MAX_AUTHORITY, le=MAX_AUTHORITY)] = 0
    """Precedence of the source: of records that contradict or repeat each other, the one from the source with the
    higher number is kept."""
    contradictions: Literal["keep", "put_aside"] = "keep"
    """Action on contradictions that neither `authority` nor a date decides: `keep` keeps all of the records,
    `put_aside` quarantines all of them. Either way their owners see them side by side (`hallmark data conflicts`)."""
    editions: Literal["said", "dated"] = "said"
    """Rule by which a near-identical record is an older edition. `said`: both texts state their edition. `dated`: a
    later `effective_from` is enough, for a source that holds a text in several dated versions."""
    steward: Name
    """Person in people.yaml who maintains the source from day to day."""
    access: Annotated[list[Name], Field(min_length=1)]
    """Roles whose people may read single records (`hallmark data show`)."""
    classification: Literal["public", "internal", "confidential", "restricted"]
    """Level of confidentiality."""
    lawful_basis: Text
    """Legal basis of the processing, e.g. `legitimate interests (GDPR Art. 6 (1) f)`, or `no personal data`."""
    licence: Text
    """SPDX expression, or a description in words if the licence has none."""
    retention_days: Days
    """Number of days after `effective_from` for which a record may be used. A record leaves at the beginning of the
    month in which this period ends, so that the runs of a month have the same records."""
    region: Text
    """Region in which the source is stored, e.g. eu."""
    refresh_days: Days
    """Maximum age of the newest record in days; a source whose newest record is older counts as stale."""
    approved_uses: Annotated[list[Text], Field(min_length=1)]
    """Uses that the data is approved for. A run for another use fails a check of the data gate."""
    description: str = ""
    """Description in words."""
    protect: Protection = Protection()
    """Action on each category of personal and secret text."""
    personal: dict[Annotated[Text, NFC], Category] = {}
    """Fields of JSON targets that are personal by their purpose, with their category: `{artist: name}`. The whole field
    counts as found, with all values and field names below it, and so do its words in the other turns of the record; the
    action is that of `protect`."""
    labels: dict[Label, list[Annotated[Text, NFC]]] = {}
    """Values that a label may have, none of them personal or secret. A row with another value is quarantined; another
    `labelled_by` is replaced as `protect` says of names."""
    suite: str | None = None
    """File with the source's Great Expectations suite, relative to sources.yaml."""
    mapping: ColumnMapping
    """Columns that become the fields of a record."""
    constants: Constants
    """Values that all records of the source share."""

    @property
    def declared_labels(self) -> dict[str, frozenset[str]]:
        """Values that sources.yaml itself contains, by label: those in `labels` and those in `constants`."""
        constants = {name: getattr(self.constants, name) for name in get_args(Label)}
        one_or_more = {name: [value] if isinstance(value, str) else value or [] for name, value in constants.items()}
        return {name: frozenset([*values, *self.labels.get(name, [])]) for name, values in one_or_more.items()}

    @model_validator(mode="after")
    def _kind_known(self) -> Self:
        for name in ("kind", "language", "department", "split"):
            if getattr(self.mapping, name) is not None and getattr(self.constants, name) is not None:
                raise ValueError(f"source {self.id}: `{name}` is both mapped and constant; keep one")
        return self

    @model_validator(mode="after")
    def _personal_fields_known(self) -> Self:
        fields = self.mapping.response
        if isinstance(fields, dict) and (unknown := sorted(self.personal.keys() - fields.keys())):
            raise ValueError(
                f"source {self.id}: `personal` names {', '.join(map(repr, unknown))}; the target has the fields "
                f"{', '.join(map(repr, fields))}"
            )
        return self


class Sources(FrozenModel):
    """Inventory of the sources: sources.yaml."""

    sources: Annotated[list[Source], Field(min_length=1)]
    """All sources."""
    dataset_suite: str | None = None
    """File with the suite for the dataset as a whole, relative to sources.yaml."""
    terms: Terms = {}
    """Words and phrases of the company that count as found in every source, by category:
    `trade_secret: [Project Halcyon, "HX-*"]`."""
    edition_words: list[Annotated[Text, NFC]] = []
    """Words that state the edition of a text if a date or number follows, in addition to those in
    `deduplicate.near.markers`: `[Ausgabe vom, Policy no]`. They count on a line of their own, in brackets, or at the
    end of a heading."""
    truth: Text | None = None
    """Path of a CSV table of the defects that were planted in the sources, for samples and drills (`inquiry.planted`).
    No stage reads it; the report says how many of the defects each stage found."""

    @model_validator(mode="after")
    def _unique(self) -> Self:
        ids = [source.id for source in self.sources]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"source ids must be unique; twice: {', '.join(twice)}")
        return self


class Expectation(FrozenModel):
    """Great Expectations expectation, with its owner's reason for it."""

    type: Text
    """Great Expectations' snake_case name of the expectation, e.g. expect_column_values_to_be_in_set."""
    kwargs: Annotated[dict[str, Any], NFC] = {}
    """Arguments of the expectation."""
    why: Text
    """Reason for the expectation in its owner's words, shown beside the result."""


class Suite(FrozenModel):
    """Expectation suite: a file in infra/governance/expectations/.

    Columns are those of `core.record.SCHEMA`, plus `prompt` (all turns before the target), `target`, `prompt_chars`,
    `target_chars`, `retention_days_left` and the other columns of `validate.ages`, and, for JSON targets,
    `target.FIELD`. Lists are text joined by `;`, `messages` is JSON text, dates are compared with dates such as
    2024-03-31. `outcome` has one value for every row of the sources: `kept`, or the rule that quarantined the row.
    """

    name: Name
    """Name of the suite in reports."""
    expectations: Annotated[list[Expectation], Field(min_length=1)]
    """Expectations of the suite, at least one."""


class ResolvedSource(FrozenModel):
    """Source whose content is pinned by its digest."""

    source: Source
    sha256: Sha256
    bytes: int
    cutoff: date | None = None
    """First day that is within the retention period; records from before this day are left out."""


class ResolvedTruth(FrozenModel):
    """Table of planted defects (`Sources.truth`), pinned by its digest."""

    path: str
    sha256: Sha256


class ResolvedSources(FrozenModel):
    """Sources as they were resolved for a run: inputs/sources.json."""

    sources: list[ResolvedSource]
    terms: Terms = {}
    edition_words: list[str] = []
    truth: ResolvedTruth | None = None
    as_of: date
    """First day of the run's month; records retired by then are left out. Stages read no clock."""
    vault: str
    """Fingerprint of the vault's key, from which the tokens are made."""
    python: str | None = None
    """Version of Python, such as `3.11`, that the data stages must run with: its Unicode tables decide what they write.
    Null if an earlier version of Hallmark, which did not record it, resolved the run."""


class Suites(FrozenModel):
    """Suites of a run, inputs/suites.json: by source id, and that of the dataset as a whole."""

    by_source: dict[str, Suite]
    dataset: Suite | None


def load(governance: Path) -> Sources:
    return config.load(governance / "sources.yaml", Sources)


def load_resolved(path: Path) -> ResolvedSources:
    """Read inputs/sources.json.

    Raises:
        InputError: The file cannot be read, or its content is not valid.
    """
    try:
        return ResolvedSources.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:  # pydantic's message would quote the owners' secret terms
        what = error.strerror if isinstance(error, OSError) else "not what it should hold"
        raise InputError(f"{path}: cannot be read ({what}); run `hallmark resolve` to write it") from None


def load_suites(governance: Path, sources: Sources) -> Suites:
    """Read every suite that sources.yaml names.

    Raises:
        InputError: A suite is not valid; the message lists the mistakes of all suites.
    """
    named = {source.suite for source in sources.sources} | {sources.dataset_suite}
    suites, problems = {}, []
    for name in sorted(filter(None, named)):
        try:
            suites[name] = config.load(governance / name, Suite)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("\n".join(problems))
    by_source = {source.id: suites[source.suite] for source in sources.sources if source.suite}
    return Suites(by_source=by_source, dataset=suites.get(sources.dataset_suite or ""))


def fill_variables(location: str) -> str:
    """Fill `${NAME}` and `${NAME:-default}` from the environment.

    Raises:
        InputError: A variable without a default is not set, or a `${` has no `}`.
    """
    out = ""
    for before, name, default in _parts(location):
        value = "" if name is None else os.environ.get(name) or default
        if value is None:
            raise InputError(f"location {location!r}: environment variable {name} is not set; export it and try again")
        out += before + value
    return out


def location_variables(named: Iterable[Source]) -> set[str]:
    return {name for source in named for _, name, _ in _parts(source.location) if name}


def _parts(location: str) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield each literal part of a location with name and default of the variable after it; None for the last part."""
    rest = location
    while "${" in rest:
        before, _, tail = rest.partition("${")
        inner, closed, rest = tail.partition("}")
        if not closed:
            raise InputError(f"location {location!r}: `${{` without `}}`")
        name, has_default, default = inner.partition(":-")
        yield before, name, default if has_default else None
    yield rest, None, None


def python_minor_version() -> str:
    """Return the version of Python as `ResolvedSources.python` holds it, e.g. `3.11`."""
    return ".".join(platform.python_version_tuple()[:2])
