"""Sections of documents: one row for each heading with text below it, or one for a document without headings.

A document that cannot be read is a malformed row, and so is a section that is longer than `max_row_bytes`.
"""

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, NamedTuple

from tasks.core.errors import InputError
from tasks.sources.sources import Source
from tasks.stages.data.readers.columns import check_mapped_columns
from tasks.stages.data.readers.documents import Document, UnreadableDocument, is_archive, iter_documents
from tasks.stages.data.readers.limits import check_row_count
from tasks.stages.data.readers.rows import MalformedRow, Row

COLUMNS = ("document", "title", "heading", "date", "text")
"""Columns of each section: path of the document, its title, the path of headings, the date that the document itself
states, and the text below the heading."""
HEADING_SEPARATOR = " > "
MAX_HEADING_CHARS = 1_000
"""Maximum length of a heading or title in characters. A longer heading is read as text, and a longer title is left
out."""


class Section(NamedTuple):
    path: tuple[str, ...]
    """Headings from the outermost to the section's own. Empty for text before the first heading."""
    text: str
    page: int | None = None
    """First page of the section, from 1; None for kinds of documents without pages."""


class Defect(NamedTuple):
    """Part of a document that cannot be read, although the rest can."""

    rule: str
    reason: str


@dataclass(frozen=True)
class ParsedDocument:
    title: str
    date: str | None
    """Date that the document itself states, as it is written there."""
    sections: Iterable[Section | Defect]


@dataclass
class SectionBuilder:
    """Builder of the sections of one document, from its headings and texts in order."""

    sections: list[Section] = field(default_factory=list)
    _path: list[tuple[int, str]] = field(default_factory=list)
    _text: io.StringIO = field(default_factory=io.StringIO)
    first_heading: str = ""
    """First heading of level 1; empty if there is none."""

    def add_heading(self, level: int, heading: str) -> None:
        heading = " ".join(heading.split())
        if len(heading) > MAX_HEADING_CHARS:
            self.add_text(heading)
        elif heading:
            self._end_section()
            self._path = [*(each for each in self._path if each[0] < level), (level, heading)]
            self.first_heading = self.first_heading or heading * (level == 1)

    def add_text(self, text: str) -> None:
        """Add lines of text below the last heading."""
        if text:
            self._text.write(text)
            self._text.write("\n")

    def finish(self) -> list[Section]:
        self._end_section()
        return self.sections

    def _end_section(self) -> None:
        text = self._text.getvalue().strip()
        if text:
            self.sections.append(Section(tuple(heading for _, heading in self._path), text))
        self._text = io.StringIO()


Parse = Callable[[Document, Source], ParsedDocument]
"""Function that reads one document. It raises UnreadableDocument, also while its sections are iterated over."""


def read_sections(
    file: IO[bytes], source: Source, suffixes: tuple[str, ...], parse: Parse, columns: Sequence[str] = COLUMNS
) -> Iterator[Row | MalformedRow]:
    """Yield the sections of all documents of a source.

    Raises:
        InputError: The source is a single document that cannot be read, or exceeds a limit.
    """
    single, number = not is_archive(file), 0
    for place, document in enumerate(iter_documents(file, source, suffixes), start=1):
        check_mapped_columns(columns, source)
        for values in _read_document(document, source, parse):
            number += 1
            check_row_count(number, source)
            if isinstance(values, dict):
                yield Row(number, values)
            elif single and values.rule == "unreadable":
                raise InputError(f"source {source.id}: {source.location} {values.reason}")
            else:
                yield MalformedRow(number, values.rule, f"document {place} {values.reason}")


def _read_document(document: Document, source: Source, parse: Parse) -> Iterator[dict[str, str | int | None] | Defect]:
    found = False
    try:
        if document.size > source.max_unpacked_bytes:
            what = f"has {document.size:,} bytes, more than max_unpacked_bytes allows, {source.max_unpacked_bytes:,}"
            yield Defect("too_large", what)
            return
        parsed = parse(document, source)
        for section in parsed.sections:
            found = True
            yield section if isinstance(section, Defect) else _section_values(document, parsed, section, source)
    except UnreadableDocument as error:
        yield Defect("unreadable", str(error))
        return
    if not found:
        yield Defect("unreadable", "has no text")


def _section_values(
    document: Document, parsed: ParsedDocument, section: Section, source: Source
) -> dict[str, str | int | None] | Defect:
    if len(section.text) > source.max_row_bytes:
        what = f"has a section of {len(section.text):,} characters, more than max_row_bytes allows"
        return Defect("too_large", f"{what}, {source.max_row_bytes:,}")
    values: dict[str, str | int | None] = {
        "document": document.name,
        "title": parsed.title if len(parsed.title) <= MAX_HEADING_CHARS else "",
        "heading": HEADING_SEPARATOR.join(section.path),
        "date": parsed.date,
        "text": section.text,
    }
    return values if section.page is None else values | {"page": section.page}
