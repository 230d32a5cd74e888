"""Text of a page in HTML, by headings. What is not content, such as navigation, scripts and style, is left out.

The page is read as a stream of tags, without a tree, so depth costs no memory and no recursion.
"""

import re
from dataclasses import dataclass, field

from lxml import etree

from tasks.stages.data.readers.documents import UnreadableDocument
from tasks.stages.data.readers.sections import ParsedDocument, Section, SectionBuilder

HEADINGS = {f"h{level}": level for level in range(1, 7)}
SKIPPED_TAGS = frozenset(
    (
        "script", "style", "template", "noscript", "nav", "svg", "math", "iframe", "object", "select", "button",
        "textarea", "dialog", "footer",
    )
)  # fmt: skip
"""Elements whose text is not content."""
SKIPPED_ROLES = frozenset(("navigation", "banner", "contentinfo", "search", "menu"))
SKIPPED_NAMES = frozenset(
    (
        "breadcrumb-section", "breadcrumbs", "catlinks", "editsection", "mw-editsection", "mw-navigation", "navbox",
        "noprint", "page-metadata", "printfooter", "siteSub", "toc", "toc-macro",
    )
)  # fmt: skip
"""Ids and classes that MediaWiki and Confluence give to navigation in the pages that they export."""
VOID_TAGS = frozenset(
    (
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
    )
)  # fmt: skip
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
WHITE_SPACE = re.compile(r"[ \t\n\r\f]+")


def parse_page(text: str) -> ParsedDocument:
    """Return the sections of a page.

    Raises:
        UnreadableDocument: The page cannot be parsed.
    """
    target = _PageTarget()
    parser = etree.HTMLParser(target=target, encoding="utf-8", huge_tree=True)
    try:
        parser.feed(text.encode())
        parser.close()
    except etree.LxmlError as error:
        raise UnreadableDocument(f"is not HTML that can be read ({type(error).__name__})") from None
    except UnicodeEncodeError:
        raise UnreadableDocument("has bytes that are no characters in its encoding; save it as UTF-8") from None
    found = target.finish()
    date = next((target.meta[name] for name in DATE_NAMES if target.meta.get(name)), None)
    return ParsedDocument(target.title or target.builder.first_heading, date, found)


@dataclass
class _PageTarget:
    """Receiver of the events of lxml's parser."""

    builder: SectionBuilder = field(default_factory=SectionBuilder)
    meta: dict[str, str] = field(default_factory=dict)
    title: str = ""
    _line: list[str] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)
    _skipped_from: int | None = None
    """Depth of the outermost open element that is left out."""
    _heading: list[str] | None = None
    _title: list[str] | None = None
    _cells: int = 0
    _preformatted: int = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag not in VOID_TAGS:
            self._open.append(tag)
        if self._skipped_from is not None:
            return
        if tag == "meta":
            name = attributes.get("name") or attributes.get("property") or attributes.get("itemprop") or ""
            self.meta.setdefault(name.lower().replace(".", ":"), attributes.get("content", "").strip())
        elif tag == "title":
            self._title = []
        elif tag not in VOID_TAGS and _is_skipped(tag, attributes):
            self._skipped_from = len(self._open)
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

    def end(self, tag: str) -> None:
        if tag in VOID_TAGS:
            return
        depth = len(self._open)
        if self._open:
            self._open.pop()
        if self._skipped_from is not None:
            if depth <= self._skipped_from:
                self._skipped_from = None
        elif tag == "title":
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

    def data(self, text: str) -> None:
        if self._skipped_from is not None:
            return
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

    def comment(self, text: str) -> None: ...

    def pi(self, target: str, data: str | None = None) -> None: ...

    def doctype(self, *names: str | None) -> None: ...

    def close(self) -> None: ...

    def finish(self) -> list[Section]:
        self._cells, self._preformatted = 0, 0
        if self._heading is not None:
            self._line, self._heading = self._heading, None
        self._break_line()
        return self.builder.finish()


def _is_skipped(tag: str, attributes: dict[str, str]) -> bool:
    names = {attributes.get("id", ""), *attributes.get("class", "").split()}
    return (
        tag in SKIPPED_TAGS
        or attributes.get("role", "").lower() in SKIPPED_ROLES
        or not names.isdisjoint(SKIPPED_NAMES)
        or "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
    )
