"""A page as a browser would see it."""

from html.parser import HTMLParser
from typing import Any

from tasks.core.layout import Layout
from tasks.stages.evaluate import evaluate
from tests.stages.evaluate import house


class Page(HTMLParser):
    """What a browser would make of the page."""

    VOID = frozenset({"meta", "br", "wbr", "input", "img", "link", "hr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def page_of(layout: Layout, metrics: list[dict[str, Any]] | None = None, **evaluation: Any) -> Page:
    evaluate.run(house.params(metrics, **evaluation), layout)
    return Page((layout.artefacts("evaluate") / "report.html").read_text())
