"""What DVC and a stage printed, and what it says of a stage that failed."""

import errno
import os
import re
import subprocess
from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
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


class Told:
    """The end of what DVC and its stage printed."""

    def __init__(self) -> None:
        self.lines = deque[str](maxlen=KEPT)
        self.ran = False
        """Whether DVC started the stage."""

    def follow(self, process: "subprocess.Popen[str]") -> Iterator[str]:
        """Yield each line that a process prints, as visible text, a long one in parts, and keep the last ones."""
        assert process.stdout
        for part in iter(partial(process.stdout.readline, LONGEST), ""):
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
