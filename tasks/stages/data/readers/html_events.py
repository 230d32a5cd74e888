"""Events of lxml's HTML parser, without those of elements that are not content, such as scripts and navigation.

A page is read as a stream of tags, without a tree, in linear time, so depth costs no memory and no recursion. Python's
html.parser takes 25 s for 50 kB of `<a <a <a`.
"""

import re

from lxml import etree

SKIPPED_TAGS = frozenset(
    (
        "script", "style", "template", "noscript", "nav", "svg", "math", "iframe", "object", "select", "button",
        "textarea",
    )
)  # fmt: skip
"""Elements whose text is not content."""
VOID_TAGS = frozenset(
    (
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
    )
)  # fmt: skip
"""Elements without content, and without an end tag."""
WHITE_SPACE = re.compile(r"[ \t\n\r\f\xa0]+")


class UnreadableHtml(Exception):
    """Raised if a page cannot be parsed. The message begins with a verb and has no value from the page."""


class HtmlTarget:
    """Receiver of the parser's events. Its subclasses make text of the elements that are content."""

    def __init__(self) -> None:
        self._depth = 0
        self._skipped_from: int | None = None
        """Depth of the outermost open element that is left out."""

    def is_skipped(self, tag: str, attributes: dict[str, str]) -> bool:
        """Return whether an element is left out, with all that is in it."""
        return tag in SKIPPED_TAGS or "hidden" in attributes or attributes.get("aria-hidden", "").lower() == "true"

    def open_element(self, tag: str, attributes: dict[str, str]) -> None: ...

    def close_element(self, tag: str) -> None: ...

    def add_text(self, text: str) -> None: ...

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += tag not in VOID_TAGS
        if self._skipped_from is not None:
            return
        if tag not in VOID_TAGS and self.is_skipped(tag, attributes):
            self._skipped_from = self._depth
        else:
            self.open_element(tag, attributes)

    def end(self, tag: str) -> None:
        if tag in VOID_TAGS:
            return
        depth, self._depth = self._depth, max(0, self._depth - 1)
        if self._skipped_from is None:
            self.close_element(tag)
        elif depth <= self._skipped_from:
            self._skipped_from = None

    def data(self, text: str) -> None:
        if self._skipped_from is None:
            self.add_text(text)

    def comment(self, text: str) -> None: ...

    def pi(self, target: str, data: str | None = None) -> None: ...

    def doctype(self, *names: str | None) -> None: ...

    def close(self) -> None: ...


def feed(text: str, target: HtmlTarget) -> None:
    """Send the events of a page to a target.

    Raises:
        UnreadableHtml: The page cannot be parsed.
    """
    parser = etree.HTMLParser(target=target, encoding="utf-8", huge_tree=True)
    try:
        parser.feed(text.encode() or b" ")
        parser.close()
    except etree.LxmlError as error:
        raise UnreadableHtml(f"is not HTML that can be read ({type(error).__name__})") from None
    except UnicodeEncodeError:
        raise UnreadableHtml("has bytes that are no characters in its encoding; save it as UTF-8") from None
