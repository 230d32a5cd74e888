"""What commands print on: rich's console, which shows text as text, whoever wrote it.

Hidden characters are spelled out both before a table is laid out, so that its columns fit, and as the last thing before
a line is written, for what never was a plain string. Nothing is read as rich's markup.
"""

from collections.abc import Iterable
from typing import IO, Any

from rich.console import Console, RenderableType
from rich.segment import Segment
from rich.text import Text

from tasks.core.shown import visible


class Terminal(Console):
    def __init__(self, **how: Any) -> None:
        super().__init__(**{"highlight": False, "markup": False, "emoji": False, "soft_wrap": True} | how)

    @property
    def file(self) -> IO[str]:
        """What is beneath all that stands before the stream: rich looks through one of these alone, and while something
        moves there are two. What it writes there is its own: text was made visible when it was rendered."""
        found = super().file
        while beneath := getattr(found, "rich_proxied_file", None):
            found = beneath
        return found

    @file.setter
    def file(self, file: IO[str]) -> None:
        self._file = file

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(visible(text), **how)

    def render(self, renderable: RenderableType, options: Any = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))
