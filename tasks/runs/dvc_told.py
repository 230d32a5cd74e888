"""What DVC and a stage printed, and what it says of a stage that failed."""

import codecs
import errno
import io
import os
import re
import select
import subprocess
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tasks.core.errors import Died, HallmarkError, InputError, Refused, Unavailable
from tasks.core.layout import home
from tasks.core.shown import visible
from tasks.stages.runner import error_file

_ERRORS: Mapping[int, type[HallmarkError]] = {1: Refused, 2: InputError, 3: Unavailable}
EXITED = re.compile(r"ERROR: failed to reproduce '.*exited with (-?\d+)$")
"""What DVC prints where a stage ended badly."""
KEPT = 200
"""Number of last lines that are kept."""
LONGEST = 2**14
"""Characters that are taken for one line."""
MOST_LEFT = 2**20
"""Bytes that are still read of a pipe once its process has ended: more than one holds."""
LOOK_SECONDS = 0.5
"""How often it is looked whether the process has ended, while it prints nothing."""


class Told:
    """The end of what DVC and its stage printed."""

    def __init__(self) -> None:
        self.lines = deque[str](maxlen=KEPT)
        self.ran = False
        """Whether DVC started the stage."""

    def follow(self, process: "subprocess.Popen[bytes]") -> Iterator[str]:
        """Yield each line that a process prints, as visible text, a long one in parts, and keep the last ones."""
        for part in _lines(_printed(process)):
            line = visible(part.rstrip())
            self.add(line)
            yield line

    def add(self, line: str) -> None:
        self.ran = self.ran or line.startswith("Running stage")
        self.lines.append(line)

    def exited(self) -> int | None:
        """The stage's exit code as DVC says it, in an error of its own after the stage's last word."""
        found = (EXITED.match(line) for line in reversed(self.lines))
        return next((int(match[1]) for match in found if match), None)

    def end(self) -> str:
        return "\n".join(list(self.lines)[-15:])


def _printed(process: "subprocess.Popen[bytes]") -> Iterator[bytes]:
    """What a process prints until its end. Others may have its output as well, and hold it open: the code of a stage
    can hand it on to whatever it reaches."""
    assert process.stdout
    handle, look, left = process.stdout.fileno(), select.poll(), MOST_LEFT
    look.register(handle, select.POLLIN)
    while left > 0:
        has_ended = process.poll() is not None
        if look.poll(0 if has_ended else 1000 * LOOK_SECONDS):
            if not (part := os.read(handle, LONGEST)):
                return
            yield part
            left -= len(part) * has_ended
        elif has_ended:
            return


def _lines(printed: Iterable[bytes]) -> Iterator[str]:
    """The text in lines without their ends, of which each is one newline, and a long line in parts."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
    rest = ""
    for part in printed:
        *lines, rest = (rest + decoder.decode(part)).split("\n")
        for line in lines:
            yield from (line[begin : begin + LONGEST] for begin in range(0, max(1, len(line)), LONGEST))
        while len(rest) >= LONGEST:
            yield rest[:LONGEST]
            rest = rest[LONGEST:]
    if rest := rest + decoder.decode(b"", final=True):
        yield rest


def failure(root: Path, stage: str, code: int, told: Told) -> HallmarkError:
    """Return the error of a stage that ended with `code`: its own, of a full disk, of a gate, or the last lines."""
    error_path = error_file(root, stage)
    if error_path.exists():
        said = visible(error_path.read_text(errors="replace"))
        return _ERRORS.get(code, Refused)(f"stage {stage}: {said}")
    if any(os.strerror(errno.ENOSPC) in line for line in told.lines):
        where = f"{root}, or its cache {home(root) / 'cache'}"
        return Unavailable(f"stage {stage}: no space left on the disk that holds {where}; free some and run it again, "
                           "nothing is lost")  # fmt: skip
    missing = next((m[1] for line in told.lines if (m := re.search(r"(gates/\w+\.json)'?.*", line))), None)
    if missing and not told.ran:
        return Refused(f"stage {stage} needs {missing}, and that gate has not passed")
    return Died(f"stage {stage} ended with exit code {code}; its last lines:\n{told.end()}")
