"""Console of rich that prints any text literally.

Hidden characters are made visible twice: before a table is laid out, so that its columns fit, and last before a line is
written, for everything that was never a plain string. No text is read as rich's markup.
"""

from collections.abc import Iterable
from typing import IO, Any

from rich.console import Console, RenderableType
from rich.segment import Segment
from rich.text import Text

from tasks.core.escaping import escape


class LiteralConsole(Console):
    def __init__(self, **how: Any) -> None:
        super().__init__(**{"highlight": False, "markup": False, "emoji": False, "soft_wrap": True} | how)

    @property
    def file(self) -> IO[str]:
        """Innermost stream to print to.

        rich unwraps one of its own proxies, and there are two of them while a moving line is shown. Text is already
        made visible when it is rendered.
        """
        found = super().file
        while inner := getattr(found, "rich_proxied_file", None):
            found = inner
        return found

    @file.setter
    def file(self, file: IO[str]) -> None:
        self._file = file

    def render_str(self, text: str, **how: Any) -> Text:
        return super().render_str(escape(text), **how)

    def render(self, renderable: RenderableType, options: Any = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=escape(segment.text))
