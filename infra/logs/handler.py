"""Logging handler of Hallmark's own processes."""

import logging
import os

from infra.logs import rotation
from infra.logs.lines import LineFormatter
from infra.logs.settings import log_format, log_path


class LogHandler(logging.Handler):
    """Handler that writes each record to standard error, and rotates the file to which standard error is redirected.

    It writes a whole record at once to the file descriptor, and not to `sys.stderr`, so that lines of several processes
    do not mix.
    """

    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.setFormatter(LineFormatter(log_format()))
        self._path = log_path()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            content = f"{self.format(record)}\n".encode(errors="backslashreplace")
            if self._path:
                rotation.rotate_and_reopen(self._path)
            _write(content)
        except Exception:
            self.handleError(record)


def _write(content: bytes) -> None:
    while content:
        content = content[os.write(rotation.STDERR, content) :]
