"""The inventory of sources: sources.yaml, and the Great Expectations suites beside it."""

import os
import platform
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, Field, field_serializer, field_validator, model_validator

from tasks.core import config
from tasks.core.config import Frozen
from tasks.core.errors import InputError
from tasks.core.params.values import Name, Sha256, Text
from tasks.sources.protection import Category, Protection, Term


class Mapping(Frozen):
    """Which columns of a source become which part of a record. Either `messages`, or `prompt` and `response`, or
    `text`."""

    prompt: str | None = None
    """Column with the user's text."""
    response: str | dict[str, str] | None = None
    """Column with the target text; or a mapping of JSON field to column, whose values make one JSON object."""
    messages: str | None = None
    """Column with a list of {role, content} turns; the last one is the target."""
    text: str | None = None
    """Column with a plain text, for continued pretraining: its task has a `text_window` in params.yaml: prompts. Rules
    and expectations take it for the prompt of a record without a target."""
    kind: str | None = None
    """Column with answer, refuse, escalate or clarify."""
    language: str | None = None
    """Column with the language, e.g. en."""
    department: str | None = None
    """Column with the department; results are reported by it."""
    geography: str | None = None
    """Column with the country or region."""
    policy_tags: str | None = None
    """Column with a list, or text separated by `;`."""
    effective_from: str | None = None
    """Column with an ISO 8601 date."""
    retired_at: str | None = None
    """Column with the ISO 8601 date from which a record no longer counts."""
    labelled_by: str | None = None
    """Column with the person or desk that labelled; a person is replaced as a name."""
    split: str | None = None
    """Column with train or test."""

    @field_validator("response", mode="before")
    @classmethod
    def _from_pairs(cls, value: Any) -> Any:
        return dict(value) if isinstance(value, list) and all(isinstance(pair, list) for pair in value) else value

    @field_serializer("response", when_used="json")
    def _as_pairs(self, value: str | dict[str, str] | None) -> str | list[list[str]] | None:
        # inputs/sources.json sorts its keys, and the order of the fields is what the model is taught to write.
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
        """Every column that the source must have."""
        named = [value for name, value in self if name != "response" and value is not None]
        response = {"": self.response} if isinstance(self.response, str) else self.response or {}
        return set(named) | set(response.values())


class Constants(Frozen):
    """Values that every record of the source has."""

    task: Name
    """A key of `prompts` in params.yaml."""
    kind: Literal["answer", "refuse", "escalate", "clarify"] | None = None
    """answer, refuse, escalate or clarify."""
    language: str | None = None
    """Language, e.g. en."""
    department: str | None = None
    """Department; results are reported by it."""
    geography: str | None = None
    """Country or region."""
    policy_tags: list[str] = []
    """Tags."""
    origin: Literal["source", "expert", "synthetic"] = "source"
    """source, expert or synthetic."""
    labelled_by: str | None = None
    """Desk or team that labelled."""
    split: Literal["train", "test"] | None = None
    """Fixes which side of the split the source stands on."""


MOST_DAYS = 365_000
"""A thousand years: further back than that no calendar goes."""
MOST_AUTHORITY = 1_000_000
"""Far more than there are sources, and numbers that tables can hold."""
Days = Annotated[int, Field(ge=1, le=MOST_DAYS)]
Label = Literal["department", "geography", "language", "policy_tags", "labelled_by"]
"""A field of a record that is no text of its own, yet holds what the source says."""
Terms = dict[Category, list[Term]]
"""The owners' own words by the class they are of, e.g. trade_secret."""


def _delimiter(value: str) -> str:
    if len(value) != 1 or value in '"\r\n\0':
        raise ValueError(
            f'expected one character in double quotes that is no quote and no line end, such as ";" or "\\t", got '
            f"{value!r}"
        )
    return value


class Source(Frozen):
    """One source: where it lies, what its columns mean, and who answers for it."""

    id: Name
    """As commands and records name it."""
    kind: Literal["csv", "jsonl", "parquet"]
    """csv and jsonl may be gzip-compressed, whatever the file is called."""
    location: Text
    """A path (relative ones start at the repository), or s3://bucket/key. `${NAME}` and `${NAME:-default}` are
    taken from the environment when the file is opened, so that no machine's paths are committed; policy.yaml lists
    which NAMEs under `location_variables`. What they stand for is never shown: messages say the location as it is
    written here."""
    encoding: str = "utf-8"
    """Of csv and jsonl: a Python codec name."""
    delimiter: Annotated[str, AfterValidator(_delimiter)] = ","
    """Of csv: one character, a tab as `"\\t"`."""
    max_unpacked_bytes: Annotated[int, Field(ge=1)] = 512 << 20
    """What gzip or Parquet may unpack to, in bytes; 512 MiB where nothing is said. More than that is refused, as it is
    for the limits below: a few kilobytes can unpack to more than memory and time have."""
    max_rows: Annotated[int, Field(ge=1)] = 2_000_000
    """Rows, blank lines among them."""
    max_columns: Annotated[int, Field(ge=1)] = 10_000
    """Columns, mapped or not; of jsonl all names of fields, of parquet the parts of lists and structs."""
    max_row_bytes: Annotated[int, Field(ge=1)] = 8 << 20
    """Of one row: its characters in csv and jsonl, its mapped values in parquet; 8 MiB, some 3,000 pages of text."""
    owner: Name
    """Person in people.yaml who answers for the data, and decides on it at the data gate."""
    authority: Annotated[int, Field(ge=-MOST_AUTHORITY, le=MOST_AUTHORITY)] = 0
    """Of records that contradict or repeat each other the one from the source with the higher number is kept."""
    contradictions: Literal["keep", "put_aside"] = "keep"
    """What becomes of records that ask the same and answer otherwise where neither authority nor date decides: all
    stay, or all are put aside. Either way their owners see them side by side (`hallmark data conflicts`)."""
    editions: Literal["said", "dated"] = "said"
    """What makes a near-identical record an older edition: `said`: both texts say which edition they are; `dated`: the
    later `effective_from` alone, for a source that holds one text several times as it was at several times."""
    steward: Name
    """Person in people.yaml who looks after it from day to day."""
    access: Annotated[list[Name], Field(min_length=1)]
    """Roles whose people may look at single records (`hallmark data show`)."""
    classification: Literal["public", "internal", "confidential", "restricted"]
    """How confidential it is."""
    lawful_basis: Text
    """Why it may be processed at all, e.g. `legitimate interests (GDPR Art. 6 (1) f)`, or `no personal data`."""
    licence: Text
    """SPDX expression, or words where there is none."""
    retention_days: Days
    """How long after `effective_from` a record may be used. Records leave at the beginning of the month in which their
    time ends, so that one month's runs are the same."""
    region: Text
    """Where it is kept, e.g. eu."""
    refresh_days: Days
    """How old its newest record may be before the source counts as stale."""
    approved_uses: Annotated[list[Text], Field(min_length=1)]
    """What it may be used for. A run for another use fails a check of the data gate."""
    description: str = ""
    """In words."""
    protect: Protection = Protection()
    """What is done with personal and secret text, class by class."""
    personal: dict[Text, Category] = {}
    """Text fields of JSON targets that are personal by their purpose, with their class: `{artist: name}`. All of such a
    field counts as found, and so do its words in the other turns of the record. `protect` says what is done with it."""
    labels: dict[Label, list[Text]] = {}
    """The values that a label may have, each harmless. A row with another is put aside; another `labelled_by` is
    replaced, as `protect` says of names."""
    suite: str | None = None
    """File with the source's Great Expectations suite, relative to sources.yaml."""
    mapping: Mapping
    """Which columns become which part of a record."""
    constants: Constants
    """What all its records have in common."""

    @property
    def named(self) -> dict[str, frozenset[str]]:
        """By label, the values that this file itself names: listed, or constant."""
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


class Sources(Frozen):
    """sources.yaml."""

    sources: Annotated[list[Source], Field(min_length=1)]
    """Every source."""
    dataset_suite: str | None = None
    """File with the suite for the dataset as a whole, relative to sources.yaml."""
    terms: Terms = {}
    """Words of the company's own that count as found, in all sources: `trade_secret: [Project Halcyon, "HX-*"]`."""
    edition_words: list[Text] = []
    """Words that say before a date or a number which edition a text is, beside those that `deduplicate.near.markers`
    knows: `[Ausgabe vom, Policy no]`. They count on a line of their own, in brackets, or at the end of a heading."""
    truth: Text | None = None
    """Path of a table that says what was planted in the sources, for samples and drills (`inquiry.planted`). Never
    read by a stage; the report then says how much of it each stage found."""

    @model_validator(mode="after")
    def _unique(self) -> Self:
        ids = [source.id for source in self.sources]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"source ids must be unique; twice: {', '.join(twice)}")
        return self


class Expectation(Frozen):
    """One Great Expectations expectation, with the reason that its owner gives for it."""

    type: Text
    """GE's snake_case name, e.g. expect_column_values_to_be_in_set."""
    kwargs: dict[str, Any] = {}
    """Its arguments."""
    why: Text
    """In the owner's words; shown beside the result."""


class Suite(Frozen):
    """A file in infra/governance/expectations/. Columns are those of `core.record.SCHEMA`, plus `prompt` (all turns
    before the target), `target`, `prompt_chars`, `target_chars`, `retention_days_left` and the others of
    `validate.ages`, and, for JSON targets, `target.FIELD`. Lists are text joined by `;`, `messages` is JSON text,
    dates are compared with dates such as 2024-03-31. `outcome` is about every row of the sources: `kept`, or the rule
    that put it aside."""

    name: Name
    """As reports show it."""
    expectations: Annotated[list[Expectation], Field(min_length=1)]
    """At least one."""


class ResolvedSource(Frozen):
    """A source whose content is pinned."""

    source: Source
    sha256: Sha256
    bytes: int
    cutoff: date | None = None
    """Records from before this day are past their retention and stay out."""


class ResolvedTruth(Frozen):
    """The truth about planted defects, pinned."""

    path: str
    sha256: Sha256


class ResolvedSources(Frozen):
    """inputs/sources.json."""

    sources: list[ResolvedSource]
    terms: Terms = {}
    edition_words: list[str] = []
    truth: ResolvedTruth | None = None
    as_of: date
    """The first day of the run's month: records retired by then stay out. Stages read no clock."""
    vault: str
    """Fingerprint of the vault's key, which makes the tokens."""
    python: str | None = None
    """`3.11`: its Unicode tables decide what data stages write, so what another version wrote is not the run's. Null
    where the run was resolved before this was noted."""


class Suites(Frozen):
    """inputs/suites.json: by source id, and the dataset's."""

    by_source: dict[str, Suite]
    dataset: Suite | None


def load(governance: Path) -> Sources:
    """Read sources.yaml of a governance folder."""
    return config.load(governance / "sources.yaml", Sources)


def load_resolved(path: Path) -> ResolvedSources:
    """Read inputs/sources.json. Raises InputError where it cannot be read."""
    try:
        return ResolvedSources.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as error:  # pydantic's message would quote the owners' secret terms
        what = error.strerror if isinstance(error, OSError) else "not what it should hold"
        raise InputError(f"{path}: cannot be read ({what}); run `hallmark resolve` to write it") from None


def load_suites(governance: Path, sources: Sources) -> Suites:
    """Read every suite that sources.yaml names. Raises InputError with the mistakes of all of them."""
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


def expand(location: str) -> str:
    """Fill `${NAME}` and `${NAME:-default}` from the environment. Raises InputError for a variable that is not set."""
    out = ""
    for before, name, default in _parts(location):
        value = "" if name is None else os.environ.get(name) or default
        if value is None:
            raise InputError(f"location {location!r}: environment variable {name} is not set; export it and try again")
        out += before + value
    return out


def variables(named: Iterable[Source]) -> set[str]:
    """Names of the environment variables in the locations of sources."""
    return {name for source in named for _, name, _ in _parts(source.location) if name}


def _parts(location: str) -> Iterator[tuple[str, str | None, str | None]]:
    """Text, the name of the variable after it, and its default if it has one; the last text has no variable."""
    rest = location
    while "${" in rest:
        before, _, tail = rest.partition("${")
        inner, closed, rest = tail.partition("}")
        if not closed:
            raise InputError(f"location {location!r}: `${{` without `}}`")
        name, has_default, default = inner.partition(":-")
        yield before, name, default if has_default else None
    yield rest, None, None


def minor_version() -> str:
    """Python's, as `ResolvedSources.python` has it."""
    return ".".join(platform.python_version_tuple()[:2])
