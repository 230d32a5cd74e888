"""rich console that prints any text literally.

No text is interpreted as rich's markup. Hidden characters are escaped at two points: in strings before a table is laid
out, so that its columns fit, and in all text when a line is written.
"""

from collections.abc import Iterable
from typing import IO, Any

from rich.console import Console, RenderableType
from rich.segment import Segment
from rich.text import Text

from tasks.core.escaping import escape_hidden


class LiteralConsole(Console):
    def __init__(self, **how: Any) -> None:
        super().__init__(**{"highlight": False, "markup": False, "emoji": False, "soft_wrap": True} | how)

    @property
    def file(self) -> IO[str]:
        """Output stream without any of rich's proxies.

        rich removes only one proxy, but there are two while a status line is shown. The proxies are not needed, because
        text is already escaped when it is rendered.
        """
        found = super().file
        while inner := getattr(found, "rich_proxied_file", None):
            found = inner
        return found

    @file.setter
    def file(self, file: IO[str]) -> None:
        self._file = file

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(escape_hidden(text), **how)

    def render(self, renderable: RenderableType, options: Any = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=escape_hidden(segment.text))
