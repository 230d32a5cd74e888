"""How far a stage is, in lines that `tasks.runs.dvc` reads. No other module prints any.

    progress ingest 20000/100000 tickets 9,800 rows/s eta 8s
    progress base_model checking its digest

None says that all is done: a stage has ended when whoever started it says so.
"""

import os
import sys
import time

EVERY_SECONDS = 2.0


def announce(name: str, doing: str) -> None:
    """Say at once what the stage `name` does now, where there is nothing to count."""
    try:
        print(f"progress {name} {doing}", flush=True)
    except BrokenPipeError:  # nobody listens any more; the work goes on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def announce_count(name: str, done: int, total: int, words: str) -> None:
    """Say that `done` of `total` is done; nothing where that is all."""
    if done < total:
        announce(name, f"{done}/{total} {words}")


class Progress:
    """Says every few seconds how much of one stretch of a stage's work is done."""

    def __init__(
        self, name: str, work: int, unit: str = "rows", before: int = 0, after: int = 0, then: str = ""
    ) -> None:
        """`work` may be an estimate. `before` and `after` are what the stage does besides this stretch, in other units
        perhaps; `then` says the latter in words, since the time remaining is that of this stretch alone."""
        self.name, self.work, self.unit, self.before, self.after = name, work, unit, before, after
        self.then = f"then {then}" if then else ""
        self.began = self.last_shown = time.monotonic()

    def tell(self, done: int, of: str = "") -> None:
        """`done` of this stretch is done; `of` says of what."""
        now = time.monotonic()
        if now - self.last_shown < EVERY_SECONDS:
            return
        self.last_shown = now
        rate = done / (now - self.began)
        speed = f"{rate:,.0f} {self.unit}/s" if rate >= 100 else f"{rate:.1f} {self.unit}/s"
        if done > self.work:
            announce(self.name, " ".join(filter(None, (f"{done:,} {self.unit}", of, speed))))
            return
        left = f"eta {duration((self.work - done) / rate)}" if rate and done < self.work else ""
        words = ", ".join(filter(None, (" ".join(filter(None, (of, speed, left))), self.then)))
        announce_count(self.name, self.before + done, self.before + self.work + self.after, words)


def duration(seconds: float) -> str:
    """`42s`, `4m02s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
