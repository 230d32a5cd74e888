"""Progress display of commands: a line for each finished step, and a spinner for the step in progress."""

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
def showing_step(step: str, console: Console | None) -> Iterator[None]:
    with ProgressDisplay(console) as screen:
        screen.show_step(step)
        yield


class ProgressDisplay:
    """Display of the step in progress.

    On a terminal, it is a spinner with the elapsed time, unless the step itself reports the remaining time. Elsewhere,
    a line is printed every QUIET_SECONDS. Nothing is printed if the console is None.
    """

    def __init__(self, console: Console | None) -> None:
        self.console = console
        self.spinner = Status("starting", console=console) if console is not None and console.is_terminal else None
        self.current_step: tuple[str, str] | None = None
        self.step_started_at = self.last_printed_at = time.monotonic()
        self.ended = threading.Event()
        self.refresh_thread = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Self:
        if self.spinner:
            self.spinner.start()
        if self.console is not None:
            self.refresh_thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.ended.set()
        if self.console is not None:
            self.refresh_thread.join()
        if self.spinner:
            self.spinner.stop()

    def line(self, text: str) -> None:
        self.current_step = None
        if self.console is not None:
            self.console.print(text)

    def show_step(self, step: str, progress_text: str = "") -> None:
        """Show a step in progress.

        Args:
            step: Name of the step.
            progress_text: Progress as reported by the step itself; empty if it reports none.
        """
        if self.current_step is None or self.current_step[0] != step:
            self.step_started_at = time.monotonic()
        self.current_step = (step, progress_text)

    def _tick(self) -> None:
        while not self.ended.wait(TICK_SECONDS):
            if now := self.current_step:
                self._show(*now)

    def _show(self, step: str, progress_text: str) -> None:
        now = time.monotonic()
        since = "" if " eta " in progress_text else format_duration(round(now - self.step_started_at))
        text = " ".join(filter(None, (step, progress_text, since)))
        if self.spinner:
            self.spinner.update(Text(text))  # rich reads a plain string as markup
        elif self.console is not None and now - self.last_printed_at > QUIET_SECONDS:
            self.last_printed_at = now
            self.console.print(f"  … {text}")
