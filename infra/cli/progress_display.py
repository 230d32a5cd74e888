"""Progress display of commands: a line for each finished step, and a moving line for the step in progress."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status
from rich.text import Text

from tasks.core.formatting import format_duration

TICK_SECONDS = 0.5
QUIET_SECONDS = 30.0
"""Seconds between two printed lines about a step in progress, if the output is not a terminal."""


@contextmanager
def showing_step(words: str, console: Console | None) -> Iterator[None]:
    with ProgressDisplay(console) as screen:
        screen.working(words)
        yield


class ProgressDisplay:
    """Display of the step in progress.

    On a terminal, it is a spinner line with the elapsed time, unless the step itself reports the remaining time.
    Otherwise, a line is printed every QUIET_SECONDS. Nothing is printed if the console is None.
    """

    def __init__(self, console: Console | None) -> None:
        self.console = console
        self.moving = Status("starting", console=console) if console is not None and console.is_terminal else None
        self.at_work: tuple[str, str] | None = None
        self.began = self.spoke = time.monotonic()
        self.ended = threading.Event()
        self.ticking = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Self:
        if self.moving:
            self.moving.start()
        if self.console is not None:
            self.ticking.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.ended.set()
        if self.console is not None:
            self.ticking.join()
        if self.moving:
            self.moving.stop()

    def line(self, text: str) -> None:
        self.at_work = None
        if self.console is not None:
            self.console.print(text)

    def working(self, what: str, how: str = "") -> None:
        """Show a step in progress.

        Args:
            what: Name of the step.
            how: The step's own progress text.
        """
        if self.at_work is None or self.at_work[0] != what:
            self.began = time.monotonic()
        self.at_work = (what, how)

    def _tick(self) -> None:
        while not self.ended.wait(TICK_SECONDS):
            if now := self.at_work:
                self._show(*now)

    def _show(self, what: str, how: str) -> None:
        now = time.monotonic()
        since = "" if " eta " in how else format_duration(round(now - self.began))
        text = " ".join(filter(None, (what, how, since)))
        if self.moving:
            self.moving.update(Text(text))  # rich reads a plain string as markup
        elif self.console is not None and now - self.spoke > QUIET_SECONDS:
            self.spoke = now
            self.console.print(f"  … {text}")
