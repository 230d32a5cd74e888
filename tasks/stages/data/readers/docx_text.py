"""Text of the XML parts of a .docx, by headings (ECMA-376, WordprocessingML).

Parts are read as streams of tags, without trees. A part with a document type is refused, because entities are declared
there, which can expand to more than fits into memory or name files of the machine.
"""

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lxml import etree

from tasks.stages.data.readers.documents import UnreadableDocument
from tasks.stages.data.readers.sections import Section, SectionBuilder

TITLE_LEVEL = 0
HEADING_STYLE = re.compile(r"heading ([1-9])")
"""Pattern of the names of Word's own heading styles, which are the same in every language."""
SKIPPED_TAGS = frozenset(("del", "moveFrom", "Fallback", "instrText", "delText"))
"""Elements whose text is not part of the document as it is shown. `Fallback` repeats a text box for old programs."""
CELL_SEPARATOR = " | "
MAX_BASE_STYLES = 50
"""Maximum number of styles on which a style is based, one on another."""


def _local_name(tag: str) -> str:
    return tag.rpartition("}")[2]


def _attribute(attributes: dict[str, str], name: str) -> str:
    return next((value for key, value in attributes.items() if _local_name(key) == name), "")


def _parse_xml(content: bytes, target: Any) -> None:
    parser = etree.XMLParser(target=target, resolve_entities=False, no_network=True, load_dtd=False)
    try:
        parser.feed(content)
        parser.close()
    except etree.LxmlError as error:
        raise UnreadableDocument(f"has a part that is damaged XML ({type(error).__name__}); save it anew") from None


class _Target:
    """Receiver of the events of lxml's parser, which ignores all of them but a document type."""

    def start(self, tag: str, attributes: dict[str, str]) -> None: ...

    def end(self, tag: str) -> None: ...

    def data(self, text: str) -> None: ...

    def doctype(self, *names: str | None) -> None:
        raise UnreadableDocument("has a part with a document type, as no program writes it; save it anew")

    def comment(self, text: str) -> None: ...

    def pi(self, target: str, data: str | None = None) -> None: ...

    def close(self) -> None: ...


@dataclass
class _Style:
    name: str = ""
    base: str = ""
    outline: int | None = None


class _StylesTarget(_Target):
    def __init__(self) -> None:
        self.styles: dict[str, _Style] = {}
        self._style = _Style()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name, value = _local_name(tag), _attribute(attributes, "val")
        if name == "style":
            self._style = self.styles.setdefault(_attribute(attributes, "styleId"), _Style())
        elif name == "name":
            self._style.name = value.lower()
        elif name == "basedOn":
            self._style.base = value
        elif name == "outlineLvl":
            self._style.outline = _outline_level(value)


def _outline_level(value: str) -> int | None:
    """Return the level of a heading from 1 to 9; None for text."""
    return int(value) + 1 if value in tuple("012345678") else None


class ParagraphForm(NamedTuple):
    """Use of the paragraphs of a style."""

    level: int | None = None
    """Level of a heading from 1 to 9, or TITLE_LEVEL; None for text."""
    is_item: bool = False
    """Whether the paragraph is an item of a list."""
    is_skipped: bool = False
    """Whether the paragraph is left out, as a line of a table of contents is."""


def parse_styles(content: bytes) -> dict[str, ParagraphForm]:
    """Return the use of each style by its id."""
    target = _StylesTarget()
    if content:
        _parse_xml(content, target)
    return {
        name: ParagraphForm(
            _style_level(style, target.styles), style.name.startswith("list "), style.name.startswith("toc ")
        )
        for name, style in target.styles.items()
    }


def _style_level(style: _Style, styles: dict[str, _Style]) -> int | None:
    for _ in range(MAX_BASE_STYLES):
        if match := HEADING_STYLE.fullmatch(style.name):
            return int(match[1])
        if style.name == "title":
            return TITLE_LEVEL
        if style.outline is not None or style.base not in styles:
            return style.outline
        style = styles[style.base]
    return None


class _PropertiesTarget(_Target):
    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self._name = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._name = _local_name(tag)

    def end(self, tag: str) -> None:
        self._name = ""

    def data(self, text: str) -> None:
        self.values[self._name] = self.values.get(self._name, "") + text


def parse_properties(content: bytes) -> tuple[str, str | None]:
    """Return title and date of last change, as the document states them."""
    target = _PropertiesTarget()
    if content:
        _parse_xml(content, target)
    values = {name: value.strip() for name, value in target.values.items()}
    return " ".join(values.get("title", "").split()), values.get("modified") or values.get("created") or None


@dataclass
class _Paragraph:
    text: list[str] = field(default_factory=list)
    style: str = ""
    outline: int | None = None
    is_item: bool = False


class _TextTarget(_Target):
    def __init__(self, styles: dict[str, ParagraphForm]) -> None:
        self.builder = SectionBuilder()
        self.title = ""
        self._styles = styles
        self._paragraphs: list[_Paragraph] = []
        """Open paragraphs. One is within another if it stands in a text box."""
        self._rows: list[list[str]] = []
        """Cells of the open rows of tables, from the outermost."""
        self._skipped = 0
        self._in_text = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = _local_name(tag)
        if self._skipped or name in SKIPPED_TAGS:
            self._skipped += 1
            return
        paragraph = self._paragraphs[-1] if self._paragraphs else _Paragraph()
        match name:
            case "p":
                self._paragraphs.append(_Paragraph())
            case "tr":
                self._rows.append([])
            case "tc" if self._rows:
                self._rows[-1].append("")
            case "t":
                self._in_text = True
            case "tab" | "ptab":
                paragraph.text.append("\t")
            case "br" | "cr":
                paragraph.text.append("\n")
            case "noBreakHyphen":
                paragraph.text.append("-")
            case "pStyle":
                paragraph.style = _attribute(attributes, "val")
            case "outlineLvl":
                paragraph.outline = _outline_level(_attribute(attributes, "val"))
            case "numPr":
                paragraph.is_item = True

    def end(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        match _local_name(tag):
            case "t":
                self._in_text = False
            case "p" if self._paragraphs:
                self._end_paragraph(self._paragraphs.pop())
            case "tr" if self._rows:
                self._end_row([cell.strip() for cell in self._rows.pop()])

    def data(self, text: str) -> None:
        if self._in_text and not self._skipped and self._paragraphs:
            self._paragraphs[-1].text.append(text)

    def _end_paragraph(self, paragraph: _Paragraph) -> None:
        text = "".join(paragraph.text).strip()
        form = self._styles.get(paragraph.style, ParagraphForm())
        level = paragraph.outline or form.level
        if not text or form.is_skipped:
            return
        if self._rows and self._rows[-1]:
            self._rows[-1][-1] += " ".join(text.split()) + " "
        elif level == TITLE_LEVEL and not self.title:
            self.title = " ".join(text.split())
        elif level:
            self.builder.add_heading(level, text)
        else:
            self.builder.add_text(f"- {text}" if paragraph.is_item or form.is_item else text)

    def _end_row(self, cells: list[str]) -> None:
        if any(cells) and self._rows and self._rows[-1]:
            self._rows[-1][-1] += " ".join(filter(None, cells)) + " "
        elif any(cells):
            self.builder.add_text(CELL_SEPARATOR.join(cells))


def parse_text(content: bytes, styles: dict[str, ParagraphForm], stated_title: str) -> tuple[str, list[Section]]:
    """Return the title and the sections.

    The title is that of the text, or else `stated_title`, or else the first heading.
    """
    target = _TextTarget(styles)
    _parse_xml(content, target)
    found = target.builder.finish()
    return target.title or stated_title or target.builder.first_heading, found
