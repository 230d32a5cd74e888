"""Progress lines of a stage. No other module prints or parses them.

    progress ingest 20000/100000 tickets 9,800 rows/s eta 8 s
    progress base_model checking its digest

No line reports completion: the process that started the stage reports its end.
"""

import os
import re
import sys
import time
from typing import NamedTuple

from tasks.core.formatting import format_duration

INTERVAL_SECONDS = 2.0
COUNT_PATTERN = re.compile(r"(?P<done>[0-9]{1,12})/(?P<total>[0-9]{1,12})(?![0-9])")
"""Pattern of a count, such as `120/480`. The text of a progress line can begin with a count."""
MAX_TEXT_CHARS = 200
_LINE_PATTERN = re.compile(r"progress \S+ (?P<text>.*)")
_LONG_NUMBER = re.compile(r"\d{16,}")


class ProgressLine(NamedTuple):
    text: str
    """Text after the name of the stage, for example `120/480 loss 0.412 330 tok/s eta 4 min 10 s`."""
    percent: float | None
    """Completed percentage of the work, from 0 to 100; None if the text does not begin with a count."""


def parse_progress_line(line: str) -> ProgressLine | None:
    """Parse a line that a stage printed. Return None if it is not a progress line.

    A run's own code is executed as a stage and can print anything. So a long text is truncated, and each number with 16
    or more digits is replaced by `…`.
    """
    if not (match := _LINE_PATTERN.fullmatch(line)):
        return None
    text = _LONG_NUMBER.sub("…", match["text"])[:MAX_TEXT_CHARS]
    count = COUNT_PATTERN.match(text)
    return ProgressLine(text, min(100.0, 100 * int(count["done"]) / max(1, int(count["total"]))) if count else None)


def print_progress(stage: str, activity: str) -> None:
    """Print a progress line without a count.

    Args:
        stage: Name of the stage.
        activity: Description of the current work.
    """
    try:
        print(f"progress {stage} {activity}", flush=True)
    except BrokenPipeError:  # the reader has ended; the stage continues without output
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_progress_count(stage: str, done: int, total: int, description: str) -> None:
    if done < total:
        print_progress(stage, f"{done}/{total} {description}")


class ProgressReporter:
    """Reporter that prints a progress line every few seconds while a stage does one part of its work."""

    def __init__(
        self, stage: str, work: int, unit: str = "rows", work_before: int = 0, work_after: int = 0, later_work: str = ""
    ) -> None:
        """Start measuring the elapsed time.

        Args:
            stage: Name of the stage.
            work: Amount of work in this part, in `unit`; can be an estimate.
            unit: Unit of the work, in the plural.
            work_before: Amount of work that the stage did before this part; it is added to the counts.
            work_after: Amount of work that the stage does after this part; it is added to the total.
            later_work: Description of later work that the estimated remaining time does not include.
        """
        self.name, self.work, self.unit, self.before, self.after = stage, work, unit, work_before, work_after
        self.then = f"then {later_work}" if later_work else ""
        self.began = self.last_shown = time.monotonic()

    def report(self, done: int, item_name: str = "") -> None:
        """Print a progress line, unless one was printed within the last INTERVAL_SECONDS.

        Args:
            done: Completed amount of work in this part, in `unit`.
            item_name: Name of the current item, for example a source.
        """
        now = time.monotonic()
        if now - self.last_shown < INTERVAL_SECONDS:
            return
        self.last_shown = now
        rate = done / (now - self.began)
        speed = f"{rate:,.0f} {self.unit}/s" if rate >= 100 else f"{rate:.1f} {self.unit}/s"
        if done > self.work:
            print_progress(self.name, " ".join(filter(None, (f"{done:,} {self.unit}", item_name, speed))))
            return
        left = f"eta {format_duration((self.work - done) / rate)}" if rate and done < self.work else ""
        words = ", ".join(filter(None, (" ".join(filter(None, (item_name, speed, left))), self.then)))
        print_progress_count(self.name, self.before + done, self.before + self.work + self.after, words)
