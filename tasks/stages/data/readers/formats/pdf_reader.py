"""Reader of PDF documents: one row for each entry of the outline, or for each page of a document without one.

Pages without text on which there are pictures are told, because they are scans, which need to be recognised first.
"""

import re
from collections.abc import Iterable, Iterator
from typing import IO

from tasks.sources.sources import Source
from tasks.stages.data.readers import sections
from tasks.stages.data.readers.documents import Document
from tasks.stages.data.readers.pdf_pages import PDF_MAGIC, Opening, OutlineEntry, Page
from tasks.stages.data.readers.pdf_worker import PdfWorker
from tasks.stages.data.readers.rows import MalformedRow, Reader, Row
from tasks.stages.data.readers.sections import MAX_HEADING_CHARS, Defect, ParsedDocument, Section

SUFFIXES = (".pdf",)
COLUMNS = (*sections.COLUMNS, "page")
MAX_NAMED_RANGES = 20
"""Maximum number of ranges of pages that a reason names."""


def read_rows(file: IO[bytes], source: Source) -> Iterator[Row | MalformedRow]:
    with PdfWorker() as worker:

        def parse(document: Document, source: Source) -> ParsedDocument:
            where = f"source {source.id}: {source.location}: {document.name!r}"
            messages = worker.read(document.file.read(document.size), where)
            opening = next(messages)
            assert isinstance(opening, Opening)  # it is the first message
            pages = (page for page in messages if isinstance(page, Page))
            return ParsedDocument(opening.title, opening.date, _split_pages(pages, opening.outline))

        yield from sections.read_sections(file, source, SUFFIXES, parse, COLUMNS)


def _split_pages(pages: Iterable[Page], outline: list[OutlineEntry]) -> Iterator[Section | Defect]:
    problems: dict[str, list[int]] = {}
    cutter = _OutlineCutter(outline)
    for number, page in enumerate(pages, start=1):
        if page.problem:
            problems.setdefault(page.problem, []).append(number)
        if outline:
            yield from cutter.cut(page.text, number)
        elif page.text:
            yield Section((), page.text, number)
    yield from cutter.end_section()
    for problem, numbers in problems.items():
        yield Defect("no_text", f"pages {_describe_ranges(numbers)} {problem}")


class _OutlineCutter:
    """Cutter of the text of pages at the headings that an outline names.

    A heading that is not found on its page is assumed to be at the page's beginning.
    """

    def __init__(self, outline: list[OutlineEntry]) -> None:
        self._entries = [entry for entry in outline if len(entry.path[-1]) <= MAX_HEADING_CHARS]
        self._next = 0
        self._path: tuple[str, ...] = ()
        self._text: list[str] = []
        self._page = 1

    def cut(self, text: str, number: int) -> Iterator[Section]:
        done = 0
        while self._next < len(self._entries) and self._entries[self._next].page <= number:
            entry = self._entries[self._next]
            self._next += 1
            heading = _find_heading(entry.path[-1], text, done)
            begin, end = heading.span() if heading else (done, done)
            self._add(text[done:begin], number)
            yield from self.end_section()
            self._path, done = entry.path, end
        self._add(text[done:], number)

    def _add(self, text: str, number: int) -> None:
        if text.strip():
            self._page = self._page if self._text else number
            self._text.append(text.strip())

    def end_section(self) -> Iterator[Section]:
        if self._text:
            yield Section(self._path, "\n".join(self._text), self._page)
        self._text = []


def _find_heading(heading: str, text: str, start: int) -> re.Match[str] | None:
    """Find a heading on lines of its own, with or without the number before it."""
    words = r"\s+".join(map(re.escape, heading.split()))
    return re.compile(rf"^[ \t]*(?:[\d.]+\s+)?{words}[ \t]*$", re.MULTILINE).search(text, start)


def _describe_ranges(numbers: list[int]) -> str:
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    said = [str(first) if first == last else f"{first}–{last}" for first, last in ranges[:MAX_NAMED_RANGES]]
    return ", ".join(said) + ", …" * (len(ranges) > MAX_NAMED_RANGES)


READER = Reader(
    read_rows,
    lambda file, source: COLUMNS,
    recognises=lambda head: head.startswith(PDF_MAGIC),
    is_text=False,
    suffixes=SUFFIXES,
)
