"""Standard output that reports its write errors as errors of the output.

Without this, a full disk to which the output is redirected would be reported as a full disk of the checkout.
"""

import os
import sys
from collections.abc import Callable
from typing import IO, Any, TypeVar, cast

from tasks.core.errors import Unavailable

Result = TypeVar("Result")


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
    """Replace `sys.stdout` with a stream that raises write errors as `Unavailable`."""
    if sys.stdout:  # None if the program was started with stdout closed
        sys.stdout = cast(Any, CheckedOutput(sys.stdout))
