"""Inventory of the sources, sources.yaml, and the Great Expectations suites that it names."""

import os
import platform
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_serializer,
    field_validator,
    model_serializer,
    model_validator,
)

from tasks.core.documents import config
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.params.values import NFC, Name, NonEmptyText, Sha256
from tasks.core.steps.kinds import validate_source_kind
from tasks.sources.protection import Category, Protection, Term


class ColumnMapping(FrozenModel):
    """Mapping of a source's columns to the fields of a record.

    Map either `messages`, or `prompt` and `response`, or `text`.
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
        forms = (pair, self.messages is not None, self.text is not None)
        if sum(forms) != 1 or (either and not pair):
            raise ValueError("map either `messages`, or both `prompt` and `response`, or `text`")
        return self

    def mapped_columns(self) -> set[str]:
        named = [value for name, value in self if name != "response" and value is not None]
        response = {"": self.response} if isinstance(self.response, str) else self.response or {}
        return set(named) | set(response.values())


class SourceConstants(FrozenModel):
    """Values that all records of a source share."""

    task: Name
    """Task of the records, which must be a key of `prompts` in params.yaml."""
    kind: Literal["answer", "refuse", "escalate", "clarify"] | None = None
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


MAX_DAYS = 365_000
"""Maximum length of a period in days, about a thousand years. With this limit, all computed dates are valid in
Python."""
MAX_AUTHORITY = 1_000_000
"""Maximum absolute value of a source's `authority`. With this limit, it fits into the integer columns of tables."""
DayCount = Annotated[int, Field(ge=1, le=MAX_DAYS)]
LabelField = Literal["department", "geography", "language", "policy_tags", "labelled_by"]
"""Name of a record field that holds a short value from the source, in contrast to the text of messages."""
TermsByCategory = dict[Category, list[Term]]


def _validated_delimiter(value: str) -> str:
    if len(value) != 1 or value in '"\r\n\0':
        raise ValueError(
            f'expected one character in double quotes that is no quote and no line end, such as ";" or "\\t", got '
            f"{value!r}"
        )
    return value


class Source(FrozenModel):
    """Source of the data: its location, the meaning of its columns, and the people responsible for it."""

    id: Name
    """Name of the source, used in commands and records."""
    kind: Annotated[str, AfterValidator(validate_source_kind)]
    """File format, one of those in `tasks.core.steps.kinds`. A text file can be gzip-compressed, whatever its name
    is."""
    location: NonEmptyText
    """Location of the source: an absolute path, a path relative to the repository, or s3://bucket/key. `${NAME}` and
    `${NAME:-default}` are replaced with environment variables when the file is opened, so that machine-specific paths
    need not be committed. policy.yaml lists the permitted variables under `location_variables`. Messages show the
    location as it is written here, without the values of the variables."""
    encoding: str = "utf-8"
    """Encoding of text, as the name of a Python codec."""
    delimiter: Annotated[str, AfterValidator(_validated_delimiter)] = ","
    """Column delimiter in csv files, a single character. Write a tab as `"\\t"`."""
    max_unpacked_bytes: Annotated[int, Field(ge=1)] = 512 << 20
    """Maximum size in bytes of unpacked gzip or Parquet data; the default is 512 MiB. A source that exceeds this limit
    or one of the limits below is refused, because a few kilobytes can unpack to more data than fits into memory."""
    max_rows: Annotated[int, Field(ge=1)] = 2_000_000
    """Maximum number of rows, including blank lines."""
    max_columns: Annotated[int, Field(ge=1)] = 10_000
    """Maximum number of columns, whether mapped or not. In jsonl, each field name counts as a column. In parquet, each
    part of a list or struct does."""
    max_row_bytes: Annotated[int, Field(ge=1)] = 8 << 20
    """Maximum size of one row, in characters for text files and in bytes of the mapped values for parquet. The default
    of 8,388,608 corresponds to about 3,000 pages of text."""
    owner: Name
    """Person in people.yaml who is responsible for the data and decides on it at the data gate."""
    authority: Annotated[int, Field(ge=-MAX_AUTHORITY, le=MAX_AUTHORITY)] = 0
    """Precedence of the source. If records contradict or repeat each other, the record from the source with the higher
    number is kept."""
    contradictions: Literal["keep", "put_aside"] = "keep"
    """Action on contradictions that neither `authority` nor a date resolves. `keep` keeps all of the records, and
    `put_aside` quarantines all of them. In both cases, owners can compare the records with `hallmark data
    conflicts`."""
    editions: Literal["said", "dated"] = "said"
    """Rule that decides whether a near-identical record is an older edition. `said`: only if both texts state their
    edition. `dated`: also if the other record has a later `effective_from`. Choose `dated` for a source that contains
    several dated versions of the same text."""
    steward: Name
    """Person in people.yaml who maintains the source from day to day."""
    access: Annotated[list[Name], Field(min_length=1)]
    """Roles whose members are allowed to read individual records (`hallmark data show`)."""
    classification: Literal["public", "internal", "confidential", "restricted"]
    """Level of confidentiality."""
    lawful_basis: NonEmptyText
    """Legal basis of the processing, for example `legitimate interests (GDPR Art. 6 (1) f)` or `no personal data`."""
    licence: NonEmptyText
    """Licence as an SPDX expression, or a description of it if there is no such expression."""
    retention_days: DayCount
    """Number of days after `effective_from` during which a record can be used. A record is left out from the beginning
    of the month in which this period ends, so that all runs in a month have the same records."""
    region: NonEmptyText
    """Region in which the source is stored, for example `eu`."""
    refresh_days: DayCount
    """Maximum age of the newest record in days. A source whose newest record is older counts as stale."""
    approved_uses: Annotated[list[NonEmptyText], Field(min_length=1)]
    """Uses that the data is approved for. A run for any other use fails a check at the data gate."""
    description: str = ""
    """Description of the source."""
    protect: Protection = Protection()
    """Action on each category of personal and secret text."""
    personal: dict[Annotated[NonEmptyText, NFC], Category] = {}
    """Category of each JSON target field that holds personal data, for example `{artist: name}`. Everything in such a
    field, including nested values and field names, is treated as personal text of that category. Where its words occur
    in other turns of the record, they are treated the same way. `protect` sets the action."""
    labels: dict[LabelField, list[Annotated[NonEmptyText, NFC]]] = {}
    """Permitted values of each label, which must be neither personal nor secret. A row with any other value is
    quarantined. The label `labelled_by` is an exception: any other value is treated as a person's name, and `protect`
    sets the action."""
    split: Literal["train", "test", "draw"] | None = None
    """Partition of the source's records. `test`: they are the test set, and the records of sources without `split` are
    for training only. `train`: they are never in the test set. `draw`: `data.test_share` of their prompts are held out,
    in addition to a test set from another source. Null: they are drawn if there is no test set."""
    suite: str | None = None
    """Path of the file with the source's Great Expectations suite, relative to sources.yaml."""
    mapping: ColumnMapping
    """Mapping of columns to the fields of a record."""
    constants: SourceConstants
    """Values that all records of the source share."""

    @property
    def partition(self) -> Literal["train", "test", "draw"] | None:
        return self.split or self.constants.split

    @property
    def declared_labels(self) -> dict[str, frozenset[str]]:
        """Values of each label that sources.yaml declares for this source, in `labels` and `constants`."""
        constants = {name: getattr(self.constants, name) for name in get_args(LabelField)}
        one_or_more = {name: [value] if isinstance(value, str) else value or [] for name, value in constants.items()}
        return {name: frozenset([*values, *self.labels.get(name, [])]) for name, values in one_or_more.items()}

    @model_validator(mode="after")
    def _refuse_mapped_constants(self) -> Self:
        for name in ("kind", "language", "department", "split", "generator", "generator_prompt"):
            if getattr(self.mapping, name) is not None and getattr(self.constants, name) is not None:
                raise ValueError(f"source {self.id}: `{name}` is both mapped and constant; keep one")
        if self.split and (self.mapping.split is not None or self.constants.split is not None):
            raise ValueError(f"source {self.id}: `split` is said twice; keep the key of the source, or the other one")
        return self

    @model_validator(mode="after")
    def _require_known_personal_fields(self) -> Self:
        fields = self.mapping.response
        if isinstance(fields, dict) and (unknown := sorted(self.personal.keys() - fields.keys())):
            raise ValueError(
                f"source {self.id}: `personal` names {', '.join(map(repr, unknown))}; the target has the fields "
                f"{', '.join(map(repr, fields))}"
            )
        return self


class Sources(FrozenModel):
    """Inventory of all sources, sources.yaml."""

    sources: Annotated[list[Source], Field(min_length=1)]
    """All sources, at least one."""
    dataset_suite: str | None = None
    """Path of the file with the expectation suite for the dataset as a whole, relative to sources.yaml."""
    terms: TermsByCategory = {}
    """Words and phrases of the company that count as personal or secret text in every source, by category, for example
    `trade_secret: [Project Halcyon, "HX-*"]`."""
    edition_words: list[Annotated[NonEmptyText, NFC]] = []
    """Words that, followed by a date or number, state the edition of a text, for example `[Ausgabe vom, Policy no]`.
    They extend the built-in words in `tasks.stages.data.deduplicate.similarity.markers`. They count only on a separate
    line, in brackets, or at the end of a heading."""
    truth: NonEmptyText | None = None
    """Path of a CSV table of defects that were planted in the sources, for samples and drills
    (`tasks.inquiry.planted_defects`). Stages do not read this table. The run's report states how many of the defects
    each stage found."""

    @model_validator(mode="after")
    def _require_unique_ids(self) -> Self:
        ids = [source.id for source in self.sources]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"source ids must be unique; twice: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _require_provenance(self) -> Self:
        for source in self.sources:
            missing = [
                name
                for name in ("generator", "generator_prompt")
                if getattr(source.mapping, name) is None and getattr(source.constants, name) is None
            ]
            if source.constants.origin == "synthetic" and missing:
                raise ValueError(
                    f"source {source.id}: its records are synthetic and lack {' and '.join(missing)}; name a column "
                    "under `mapping` or a value under `constants`. If its records stand in for real ones, as in a "
                    "sample, say `origin: simulated`"
                )
        return self

    @model_validator(mode="after")
    def _keep_simulated_apart(self) -> Self:
        """Refuse simulated records beside real ones, so that generated records cannot pass as real."""
        by_origin = {source.constants.origin: source.id for source in self.sources}
        if "simulated" in by_origin and (real := by_origin.get("source") or by_origin.get("expert")):
            raise ValueError(
                f"source {by_origin['simulated']} is simulated and source {real} is real; simulated records stand in "
                "for real ones and are never beside them. Say `origin: synthetic` of records that add to real ones"
            )
        return self


class Expectation(FrozenModel):
    """Expectation that Great Expectations evaluates, with the owner's reason for it."""

    type: NonEmptyText
    """Name of the expectation in Great Expectations, in snake case, for example `expect_column_values_to_be_in_set`."""
    kwargs: Annotated[dict[str, Any], NFC] = {}
    """Arguments of the expectation."""
    why: NonEmptyText
    """Reason for the expectation in its owner's words, shown next to the result."""


class ExpectationSuite(FrozenModel):
    """Expectation suite, a file in infra/governance/expectations/.

    Expectations can use the columns of records and the columns `prompt` (all turns before the target), `target`,
    `prompt_chars`, `target_chars`, `retention_days_left`, those in `tasks.stages.data.validate.ages` and, for JSON
    targets, `target.FIELD`. Lists are joined by `;`, `messages` is JSON text, and dates are compared with dates such as
    2024-03-31. The column `outcome` has a value for every row of the sources: `kept`, or the rule that quarantined the
    row.
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
    """First day of the retention period. Records with an earlier `effective_from` are left out."""


class ResolvedTruth(FrozenModel):
    """Table of planted defects (`Sources.truth`), pinned by its digest."""

    path: str
    sha256: Sha256


class ResolvedSources(FrozenModel):
    """Sources as they were resolved for a run, inputs/sources.json."""

    sources: list[ResolvedSource]
    terms: TermsByCategory = {}
    edition_words: list[str] = []
    truth: ResolvedTruth | None = None
    as_of: date
    """First day of the month in which the sources were resolved. Stages use this day as the current date. Records that
    were retired by this day are left out."""
    vault: str
    """Fingerprint of the vault's key. Tokens are derived from this key."""
    suppressed: list[Sha256] = []
    """Digests of the people and rows that `ingest` leaves out, because somebody is to be forgotten
    (`tasks.sources.suppression_digests`), sorted. Earlier versions of Hallmark did not write this field."""
    python: str | None = None
    """Version of Python, such as `3.11`, with which the data stages must run, because Python's Unicode tables affect
    their outputs. Null if the run was resolved by an earlier version of Hallmark, which did not record the version."""

    @model_serializer(mode="wrap")
    def _leave_out_empty_suppression(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `suppressed` out if it is empty, so that code of an earlier version can read the document.

        If it is not empty, such code refuses the document and so cannot bring the people back.
        """
        document: dict[str, Any] = serialise(self)
        return {name: value for name, value in document.items() if name != "suppressed" or value}


class Suites(FrozenModel):
    """Expectation suites of a run, inputs/suites.json: one per source, and one for the dataset as a whole."""

    by_source: dict[str, ExpectationSuite]
    dataset: ExpectationSuite | None


def load_sources(governance_folder: Path) -> Sources:
    return config.load_settings(governance_folder / "sources.yaml", Sources)


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


def load_suites(governance_folder: Path, sources: Sources) -> Suites:
    """Read every expectation suite that sources.yaml names.

    Raises:
        InputError: A suite is not valid. The message lists the errors of all suites.
    """
    named = {source.suite for source in sources.sources} | {sources.dataset_suite}
    suites, problems = {}, []
    for name in sorted(filter(None, named)):
        try:
            suites[name] = config.load_settings(governance_folder / name, ExpectationSuite)
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("\n".join(problems))
    by_source = {source.id: suites[source.suite] for source in sources.sources if source.suite}
    return Suites(by_source=by_source, dataset=suites.get(sources.dataset_suite or ""))


def fill_variables(location: str) -> str:
    """Replace `${NAME}` and `${NAME:-default}` in a location with values from the environment.

    Raises:
        InputError: A variable without a default is not set, or a `${` is not closed by `}`.
    """
    out = ""
    for before, name, default in _split_location(location):
        value = "" if name is None else os.environ.get(name) or default
        if value is None:
            raise InputError(f"location {location!r}: environment variable {name} is not set; export it and try again")
        out += before + value
    return out


def find_location_variables(sources: Iterable[Source]) -> set[str]:
    return {name for source in sources for _, name, _ in _split_location(source.location) if name}


def _split_location(location: str) -> Iterator[tuple[str, str | None, str | None]]:
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
    """Return the version of Python without the patch number, for example `3.11`."""
    return ".".join(platform.python_version_tuple()[:2])
