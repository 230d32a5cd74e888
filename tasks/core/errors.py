"""Exceptions that a user can act on, with the exit codes of commands.

    HallmarkError
    ├── InputError    2  an input is wrong; the message says what was expected, what was found and what to do
    ├── Refused       1  the request is refused: for example, a gate or a verification failed
    └── Unavailable   3  a resource cannot be used: a server, a disk, a remote
        ├── ProcessDied         a process ended without an error message
        └── TimeLimitExceeded   an operation exceeded its time limit

Commands print the message without a traceback and exit with the code. Any other exception is a defect of Hallmark and
keeps its traceback.
"""

import errno
import os
from collections.abc import Iterator
from typing import ClassVar

from tasks.core.escaping import escape_hidden


class HallmarkError(Exception):
    """Base class of errors that a user can act on.

    Hidden characters in `str(error)` are replaced by their code points.
    """

    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        return escape_hidden(super().__str__())


class InputError(HallmarkError):
    exit_code = 2


class Refused(HallmarkError):
    exit_code = 1


class Unavailable(HallmarkError):
    exit_code = 3


class ProcessDied(Unavailable):
    pass


class TimeLimitExceeded(Unavailable):
    pass


DOCUMENT_ERRORS = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError)
"""Exceptions raised by code that reads a document with an unexpected structure: missing keys, wrong types, deep
nesting.

Callers catch all of them and report that the document is not valid.
"""

DISK_FULL_MESSAGE = os.strerror(errno.ENOSPC)
"""Message of the operating system for a full disk (ENOSPC). Subprocesses print this message to stderr."""


MACHINE_FAULTS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE, errno.ETIMEDOUT)
"""Error codes that are due to the machine, not to the file being read: too many open files, no memory, a failing disk
or file server."""


def raise_machine_fault(path: object, error: BaseException) -> None:
    """Raise Unavailable if an error of reading a file is due to the machine, which says nothing about the file.

    Raises:
        Unavailable: The machine lacks memory or file descriptors, or its disk or file server fails.
    """
    if fault := find_machine_fault(error):
        raise Unavailable(
            f"{path} could not be examined ({fault.strerror}), so it counts neither as valid nor as invalid; see to "
            "that and try again"
        ) from error


def find_machine_fault(error: BaseException | None) -> OSError | None:
    """Return the first error in a chain of causes that is due to the machine; None if there is none."""
    return next((each for each in _causes(error) if isinstance(each, OSError) and each.errno in MACHINE_FAULTS), None)


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether an error, or one of its causes, is due to a full disk (ENOSPC).

    Libraries wrap the operating system's error in their own, so the whole chain of causes is searched for its message.
    """
    return any(DISK_FULL_MESSAGE in str(each) for each in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
