"""Inventory of the sources: sources.yaml."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from tasks.core.documents import config
from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import NFC, Name, NonEmptyText
from tasks.core.steps.kinds import SQL_KIND, validate_source_kind
from tasks.sources.column_mapping import ColumnMapping, SourceConstants
from tasks.sources.location_variables import split_location
from tasks.sources.owner_detectors import OwnerDetector
from tasks.sources.protection import Category, Protection, Term

MAX_QUERY_CHARACTERS = 100_000
"""Maximum length of a source's `query`."""


QUERY_FIELDS = ("query", "query_seconds")


MAX_DETECTORS = 8
"""Maximum number of detectors that a source can have, each of which reads its texts once more."""


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


def _has_password(location: str) -> bool:
    """Return whether a part of the password in a URL is written in the URL itself, also as a variable's default."""
    written = re.sub(r"\$\{\w+(?::-([^}]*))?\}", lambda match: "\0" if match[1] is None else match[1], location)
    password = written.partition("://")[2].partition("/")[0].rpartition("@")[0].partition(":")[2]
    return password not in ("", "\0")


class Source(FrozenModel):
    """Source of the data: its location, the meaning of its columns, and the people responsible for it."""

    id: Name
    """Name of the source, used in commands and records."""
    kind: Annotated[str, AfterValidator(validate_source_kind)]
    """File format, one of those in `tasks.core.steps.kinds`. A text file can be gzip-compressed, whatever its name
    is."""
    location: NonEmptyText
    """Location of the source: an absolute path, a path relative to the repository, s3://bucket/key, or the URL of a
    database (`postgresql://USER:PASSWORD@HOST/DATABASE`, `sqlite:///PATH`). `${NAME}` and
    `${NAME:-default}` are replaced with environment variables when the file is opened, so that machine-specific paths
    need not be committed. policy.yaml lists the permitted variables under `location_variables`. Messages show the
    location as it is written here, without the values of the variables."""
    query: Annotated[NonEmptyText, Field(max_length=MAX_QUERY_CHARACTERS)] | None = None
    """Query of a source of kind `sql`: one SELECT that ends with ORDER BY, by columns that are unique together. The
    digest of a run's source is that of the rows in this order."""
    query_seconds: Annotated[int, Field(ge=1, le=86_400)] = 600
    """Maximum number of seconds until the database has returned the last row of `query`."""
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
    detectors: Annotated[list[OwnerDetector], Field(max_length=MAX_DETECTORS)] = []
    """The owner's own detectors of personal data, in addition to Hallmark's recognisers, in the order in which they
    are asked. `protect` sets the action on what they find."""
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
    def _require_query_of_database(self) -> Self:
        if (self.kind == SQL_KIND) != (self.query is not None):
            raise ValueError(f"source {self.id}: `query` belongs to kind {SQL_KIND}, which needs it")
        if self.kind == SQL_KIND and _has_password(self.location):
            raise ValueError(
                f"source {self.id}: `location` has a password; put it into an environment variable, and write "
                "`${NAME}` in its place"
            )
        return self

    @model_serializer(mode="wrap")
    def _leave_out_unused_fields(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave fields out that do not concern the source, as earlier versions wrote it.

        These are `query` and `query_seconds` of sources that are no databases, and `detectors` if there are none.
        """
        document: dict[str, Any] = serialise(self)
        unused = {*(() if self.kind == SQL_KIND else QUERY_FIELDS), *(() if self.detectors else ("detectors",))}
        return {name: value for name, value in document.items() if name not in unused}

    @model_validator(mode="after")
    def _require_unique_detectors(self) -> Self:
        names = [detector.name for detector in self.detectors]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"source {self.id}: each detector has a name of its own; twice: {', '.join(twice)}")
        return self

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
        if mixed := [s.id for s in self.sources if s.constants.origin == "simulated" and s.mapping.origin is not None]:
            raise ValueError(
                f"source {mixed[0]} is simulated and maps a column to `origin`, so its rows could be real; a source is "
                "simulated as a whole. Leave out `mapping.origin`"
            )
        if "simulated" in by_origin and (real := by_origin.get("source") or by_origin.get("expert")):
            raise ValueError(
                f"source {by_origin['simulated']} is simulated and source {real} is real; simulated records stand in "
                "for real ones and are never beside them. Say `origin: synthetic` of records that add to real ones"
            )
        return self


def load_sources(governance_folder: Path) -> Sources:
    return config.load_settings(governance_folder / "sources.yaml", Sources)


def find_location_variables(sources: Iterable[Source]) -> set[str]:
    return {name for source in sources for _, name, _ in split_location(source.location) if name}
