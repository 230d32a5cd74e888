"""Standard output that reports its write errors as errors of the output.

Without this, a full disk to which the output is redirected would be reported as a full disk of the checkout.
"""

import codecs
import json
import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import IO, Any, TypeVar, cast

from tasks.core.errors import Unavailable

Result = TypeVar("Result")
JSON_ESCAPES = "hallmark-json-escapes"
"""Name under which the error handler of `install_checked_stdout` is registered."""


class CheckedOutput:
    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return (
            self._report_errors(lambda: self._stream.write(text)) if text else 0
        )  # click probes a stream with no text

    def flush(self) -> None:
        self._report_errors(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _report_errors(self, work: Callable[[], Result]) -> Result:
        """Return the result of `work`, and turn its write errors into `Unavailable`.

        After an error, the output is redirected to the null device, so that Python's flush at exit succeeds.

        Raises:
            BrokenPipeError: The process that reads the output has ended, as in `| head`.
            Unavailable: The output cannot be written for another reason.
        """
        try:
            return work()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            if isinstance(error, BrokenPipeError):
                raise
            raise Unavailable(
                f"the output could not be written ({error.strerror}); send it elsewhere, and say the command again"
            ) from None


def install_checked_stdout() -> None:
    """Replace `sys.stdout` with a stream that raises write errors as `Unavailable`.

    A character that the output's encoding lacks is written as JSON writes it, so that JSON documents stay valid.
    """
    if sys.stdout:  # None if the program was started with stdout closed
        codecs.register_error(JSON_ESCAPES, _escape_as_json)
        if isinstance(sys.stdout, TextIOWrapper) and codecs.lookup(sys.stdout.encoding).name != "utf-8":
            sys.stdout.reconfigure(errors=JSON_ESCAPES)
        sys.stdout = cast(Any, CheckedOutput(sys.stdout))


def _escape_as_json(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError), "it is registered for output alone"
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
