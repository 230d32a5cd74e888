"""Watchdog that ends a worker whose step takes too long, and writes the worker's stack."""

import faulthandler
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tasks.stages.train.model.builders import LONG_STEP_FACTOR

FRAME_LINE = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<function>\S+)')
OWN_CODE_FOLDER = "/tasks/stages/train/"


STACK_SECONDS = 20.0


@dataclass(frozen=True)
class StackDestination:
    file: Path
    send_stack: Callable[[str], object] | None = None
    """Function that sends the stack to the coordinator; None if the machine that started the training run can read the
    file."""


@contextmanager
def run_watchdog(stack_destination: StackDestination, seconds: float) -> Iterator["Watchdog"]:
    """End the process if the block does not call `Watchdog.feed` for `seconds`."""
    with stack_destination.file.open("w") as file:
        dog = Watchdog(file, seconds, stack_destination.send_stack)
        dog.feed(LONG_STEP_FACTOR)
        try:
            yield dog
        finally:
            dog.stop()


class Watchdog:
    """Timer that writes the stack of the process and ends it, unless it is restarted in time.

    The timer belongs to faulthandler, which can end the process even if all of its threads are blocked. A Python thread
    is needed only to send the stack to the coordinator before.
    """

    def __init__(self, file: TextIO, seconds: float, send: Callable[[str], object] | None) -> None:
        self._file, self._seconds, self._send = file, seconds, send
        self._timer: threading.Timer | None = None
        self._watched, self._has_sent_stack = threading.get_ident(), False

    def feed(self, factor: int = 1, extra_seconds: float = 0) -> None:
        """Restart the timer.

        Args:
            factor: Factor by which the time limit is multiplied.
            extra_seconds: Seconds that are added to the time limit.
        """
        seconds = self._seconds * factor + extra_seconds
        faulthandler.dump_traceback_later(seconds, exit=True, file=self._file)
        if self._send:
            if self._has_sent_stack:
                self._send("")
            self._restart_timer(seconds - STACK_SECONDS)

    def stop(self) -> None:
        faulthandler.cancel_dump_traceback_later()
        if self._timer:
            self._timer.cancel()

    def _restart_timer(self, seconds: float) -> None:
        if self._timer:
            self._timer.cancel()
        self._has_sent_stack = False
        self._timer = threading.Timer(seconds, self._send_stack)
        self._timer.daemon = True
        self._timer.start()

    def _send_stack(self) -> None:
        assert self._send
        self._has_sent_stack, frame, lines = True, sys._current_frames().get(self._watched), []
        while frame:
            lines.append(f'  File "{frame.f_code.co_filename}", line {frame.f_lineno} in {frame.f_code.co_name}\n')
            frame = frame.f_back
        self._send("".join(lines))


def hung_code_lines(folder: Path) -> str:
    """Return the innermost line of Hallmark's code in each hung worker's stack; empty if no worker hangs."""
    places = []
    for path in sorted(folder.glob("stack-*.txt")):
        ours = (it for it in FRAME_LINE.finditer(path.read_text()) if OWN_CODE_FOLDER in it["file"])
        if line := next(ours, None):
            places.append(f"{Path(line['file']).name}:{line['line']} in {line['function']} ({path.stem[6:]})")
    return ", ".join(places)
