"""Ends a worker whose step takes too long, and leaves where it stood."""

import faulthandler
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tasks.stages.train.builders import FIRST_STEP

LINE = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<function>\S+)')
OURS = "/tasks/stages/train/"


@contextmanager
def guarded(folder: Path, rank: int, seconds: float) -> Iterator["Watchdog"]:
    """Inside the block each `Watchdog.fed` gives another `seconds`; then the process ends."""
    with (folder / f"stack-{rank}.txt").open("w") as file:
        dog = Watchdog(file, seconds)
        dog.fed(FIRST_STEP)
        try:
            yield dog
        finally:
            faulthandler.cancel_dump_traceback_later()


class Watchdog:
    def __init__(self, file: TextIO, seconds: float) -> None:
        self._file, self._seconds = file, seconds

    def fed(self, times: int = 1) -> None:
        faulthandler.dump_traceback_later(self._seconds * times, exit=True, file=self._file)


def stacks(folder: Path) -> str:
    """Where the workers that were ended stood: the innermost line of ours of each; empty where none was."""
    told = []
    for path in sorted(folder.glob("stack-*.txt")):
        ours = (it for it in LINE.finditer(path.read_text()) if OURS in it["file"])
        if line := next(ours, None):
            told.append(f"{Path(line['file']).name}:{line['line']} in {line['function']} ({path.stem[6:]})")
    return ", ".join(told)
