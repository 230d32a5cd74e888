"""Text of a message in HTML, without quoted messages."""

import re

from tasks.stages.data.readers.html_events import WHITE_SPACE, HtmlTarget, feed

SKIPPED_TAGS = frozenset(("head", "title", "blockquote"))
"""Elements that are left out of messages alone. A quoted message is a blockquote."""
QUOTE_MARKS = frozenset(("gmail_quote", "gmail_signature", "yahoo_quoted", "moz-cite-prefix", "moz-signature"))
"""Classes and ids that mail programs give to quoted messages, their introductions, and signatures."""
REST_MARKS = frozenset(("divRplyFwdMsg", "appendonsend", "OLK_SRC_BODY_SECTION"))
"""Ids that Outlook gives to the element from which on everything is quoted."""
BLOCK_TAGS = frozenset(("p", "div", "li", "tr", "table", "ul", "ol", "pre", "hr", "h1", "h2", "h3", "h4", "h5", "h6"))
PARAGRAPH_TAGS = frozenset(("p", "table", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6"))


def html_to_text(html: str) -> str:
    """Return the text of a page, with a line for each block.

    Raises:
        UnreadableHtml: The page cannot be parsed.
    """
    target = _MessageTarget()
    feed(html, target)
    lines = [line.strip() for line in "".join(target.pieces).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _MessageTarget(HtmlTarget):
    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._is_over = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._is_over |= not _marks(attributes).isdisjoint(REST_MARKS)
        super().start(tag, attributes)

    def is_skipped(self, tag: str, attributes: dict[str, str]) -> bool:
        is_quote = tag in SKIPPED_TAGS or not _marks(attributes).isdisjoint(QUOTE_MARKS)
        return is_quote or super().is_skipped(tag, attributes)

    def open_element(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in ("br", "hr"):
            self.pieces.append("\n")
        else:
            self._break_line(tag)

    def close_element(self, tag: str) -> None:
        self._break_line(tag)

    def add_text(self, text: str) -> None:
        if not self._is_over:
            self.pieces.append(WHITE_SPACE.sub(" ", text))

    def _break_line(self, tag: str) -> None:
        if tag in BLOCK_TAGS and self.pieces and self.pieces[-1] != "\n\n":
            self.pieces.append("\n\n" if tag in PARAGRAPH_TAGS else "\n")


def _marks(attributes: dict[str, str]) -> set[str]:
    return {attributes.get("id", ""), *attributes.get("class", "").split()}
