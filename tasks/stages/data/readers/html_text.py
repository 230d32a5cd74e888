"""Text of a page in HTML, by headings. What is not content, such as navigation, scripts and style, is left out."""

import re

from tasks.stages.data.readers.documents import UnreadableDocument
from tasks.stages.data.readers.html_events import WHITE_SPACE, HtmlTarget, UnreadableHtml, feed
from tasks.stages.data.readers.sections import ParsedDocument, Section, SectionBuilder

HEADINGS = {f"h{level}": level for level in range(1, 7)}
SKIPPED_TAGS = frozenset(("dialog", "footer"))
"""Elements that are left out of pages alone."""
SKIPPED_ROLES = frozenset(("navigation", "banner", "contentinfo", "search", "menu"))
SKIPPED_NAMES = frozenset(
    (
        "breadcrumb-section", "breadcrumbs", "catlinks", "editsection", "mw-editsection", "mw-navigation", "navbox",
        "noprint", "page-metadata", "printfooter", "siteSub", "toc", "toc-macro",
    )
)  # fmt: skip
"""Ids and classes that MediaWiki and Confluence give to navigation in the pages that they export."""
BLOCK_TAGS = frozenset(
    (
        "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "div", "dl",
        "dt", "fieldset", "figcaption", "figure", "header", "hr", "html", "legend", "li", "main", "ol", "p",
        "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul",
    )
)  # fmt: skip
"""Elements that begin and end a line."""
CELL_SEPARATOR = " | "
DATE_NAMES = (
    "article:modified_time", "dcterms:modified", "last-modified", "dc:date:modified", "article:published_time",
    "dcterms:date", "dc:date", "date",
)  # fmt: skip
"""Names of `meta` elements with the date of a page, with `:` for a full stop. The first one that is there counts."""


def parse_page(text: str) -> ParsedDocument:
    """Return the sections of a page.

    Raises:
        UnreadableDocument: The page cannot be parsed.
    """
    target = _PageTarget()
    try:
        feed(text, target)
    except UnreadableHtml as error:
        raise UnreadableDocument(str(error)) from None
    found = target.finish()
    date = next((target.meta[name] for name in DATE_NAMES if target.meta.get(name)), None)
    return ParsedDocument(target.title or target.builder.first_heading, date, found)


class _PageTarget(HtmlTarget):
    def __init__(self) -> None:
        super().__init__()
        self.builder = SectionBuilder()
        self.meta: dict[str, str] = {}
        self.title = ""
        self._line: list[str] = []
        self._heading: list[str] | None = None
        self._title: list[str] | None = None
        self._cells, self._preformatted = 0, 0

    def is_skipped(self, tag: str, attributes: dict[str, str]) -> bool:
        names = {attributes.get("id", ""), *attributes.get("class", "").split()}
        return (
            tag in SKIPPED_TAGS
            or attributes.get("role", "").lower() in SKIPPED_ROLES
            or not names.isdisjoint(SKIPPED_NAMES)
            or super().is_skipped(tag, attributes)
        )

    def open_element(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "meta":
            name = attributes.get("name") or attributes.get("property") or attributes.get("itemprop") or ""
            self.meta.setdefault(name.lower().replace(".", ":"), attributes.get("content", "").strip())
        elif tag == "title":
            self._title = []
        else:
            self._start_content(tag)

    def _start_content(self, tag: str) -> None:
        if tag in HEADINGS and not self._cells:
            self._break_line()
            self._heading = []
        elif tag in ("td", "th"):
            self._line += [CELL_SEPARATOR] * bool(self._line and "".join(self._line).strip())
            self._cells += 1
        elif tag in BLOCK_TAGS or tag == "br":
            self._break_line()
            self._line += ["- "] * (tag == "li" and not self._cells)
        self._preformatted += tag == "pre"

    def close_element(self, tag: str) -> None:
        if tag == "title":
            self.title = self.title or " ".join("".join(self._title or ()).split())
            self._title = None
        elif tag in HEADINGS and self._heading is not None:
            self.builder.add_heading(HEADINGS[tag], "".join(self._heading))
            self._heading = None
        elif tag in ("td", "th"):
            self._cells = max(0, self._cells - 1)
        elif tag in BLOCK_TAGS:
            self._break_line()
            self._preformatted = max(0, self._preformatted - (tag == "pre"))

    def add_text(self, text: str) -> None:
        if self._title is not None:
            self._title.append(text)
        elif self._heading is not None:
            self._heading.append(text)
        else:
            self._line.append(text if self._preformatted and not self._cells else WHITE_SPACE.sub(" ", text))

    def _break_line(self) -> None:
        """End the line. Within a cell, a space takes its place, because a row of a table is one line."""
        if self._heading is not None or self._cells:
            (self._line if self._heading is None else self._heading).append(" ")
            return
        text = "".join(self._line)
        text = text.strip("\n") if self._preformatted else re.sub(" +", " ", text).strip(" ")
        if text.strip() not in ("", "-", "|"):
            self.builder.add_text(text)
        self._line = []

    def finish(self) -> list[Section]:
        self._cells, self._preformatted = 0, 0
        if self._heading is not None:
            self._line, self._heading = self._heading, None
        self._break_line()
        return self.builder.finish()
