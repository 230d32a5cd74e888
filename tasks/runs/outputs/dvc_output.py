"""Output of DVC and the stage that it runs, and the error of a stage that failed."""

import codecs
import errno
import io
import os
import re
import select
import subprocess
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from tasks.core.errors import HallmarkError, InputError, ProcessDied, Refused, Unavailable
from tasks.core.escaping import escape_hidden
from tasks.core.files import open_regular_file
from tasks.core.layout import state_folder
from tasks.stages.runner import error_file

_ERRORS: Mapping[int, type[HallmarkError]] = {1: Refused, 2: InputError, 3: Unavailable}
STAGE_FAILED_LINE = re.compile(r"ERROR: failed to reproduce '.*exited with (-?\d+)$")
"""Pattern of the line that DVC prints after a stage has failed. The group is the stage's exit code."""
KEPT_LINES = 200
MAX_LINE_LENGTH = 2**14
"""Maximum number of characters in a line; longer lines are split. Also the number of bytes that are read at once."""
MAX_BYTES_AFTER_END = 2**20
"""Maximum number of bytes that are read from a pipe after its process has ended. A pipe holds fewer bytes."""
MAX_ERROR_BYTES = 2**16
POLL_SECONDS = 0.5


class DvcOutput:
    def __init__(self) -> None:
        self.lines = deque[str](maxlen=KEPT_LINES)
        self.has_run_stage = False

    def follow_process(self, process: "subprocess.Popen[bytes]") -> Iterator[str]:
        """Yield each line that a process prints, with control characters escaped, and store the last lines.

        Long lines are split.
        """
        for part in _lines(_read_output(process)):
            line = escape_hidden(part.rstrip())
            self.add_line(line)
            yield line

    def add_line(self, line: str) -> None:
        self.has_run_stage = self.has_run_stage or line.startswith("Running stage")
        self.lines.append(line)

    def stage_exit_code(self) -> int | None:
        """Return the failed stage's exit code from DVC's output; None if DVC has not printed one."""
        found = (STAGE_FAILED_LINE.match(line) for line in reversed(self.lines))
        return next((int(match[1]) for match in found if match), None)

    def last_lines(self) -> str:
        return "\n".join(list(self.lines)[-15:])


def _read_output(process: "subprocess.Popen[bytes]") -> Iterator[bytes]:
    """Yield the output of a process until the process ends.

    The pipe can stay open longer, because the code of a stage can pass it to another process.
    """
    assert process.stdout
    handle, look, bytes_left = process.stdout.fileno(), select.poll(), MAX_BYTES_AFTER_END
    look.register(handle, select.POLLIN)
    while bytes_left > 0:
        has_ended = process.poll() is not None
        if look.poll(0 if has_ended else 1000 * POLL_SECONDS):
            if not (part := os.read(handle, MAX_LINE_LENGTH)):
                return
            yield part
            bytes_left -= len(part) * has_ended
        elif has_ended:
            return


def _lines(printed: Iterable[bytes]) -> Iterator[str]:
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
    rest = ""
    for part in printed:
        *lines, rest = (rest + decoder.decode(part)).split("\n")
        for line in lines:
            yield from (line[begin : begin + MAX_LINE_LENGTH] for begin in range(0, max(1, len(line)), MAX_LINE_LENGTH))
        while len(rest) >= MAX_LINE_LENGTH:
            yield rest[:MAX_LINE_LENGTH]
            rest = rest[MAX_LINE_LENGTH:]
    if rest := rest + decoder.decode(b"", final=True):
        yield rest


def stage_error(root: Path, stage: str, exit_code: int, output: DvcOutput) -> HallmarkError:
    """Return the error of a stage that failed with exit code `exit_code`.

    The error is read from the file to which the stage writes it. If there is no such file, the output is searched for
    signs of a full disk or of a gate that has not passed. If there are none, the error is `ProcessDied` with the last
    lines of output.
    """
    with suppress(OSError), open_regular_file(error_file(root, stage)) as file:
        said = escape_hidden(file.read(MAX_ERROR_BYTES).decode(errors="replace"))
        return _ERRORS.get(exit_code, Refused)(f"stage {stage}: {said}")
    if any(os.strerror(errno.ENOSPC) in line for line in output.lines):
        where = f"{root}, or its cache {state_folder(root) / 'cache'}"
        return Unavailable(f"stage {stage}: no space left on the disk that holds {where}; free some and run it again, "
                           "nothing is lost")  # fmt: skip
    missing = next((m[1] for line in output.lines if (m := re.search(r"(gates/\w+\.json)'?.*", line))), None)
    if missing and not output.has_run_stage:
        return Refused(f"stage {stage} needs {missing}, and that gate has not passed")
    return ProcessDied(f"stage {stage} ended with exit code {exit_code}; its last lines:\n{output.last_lines()}")
