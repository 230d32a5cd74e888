"""What can go wrong, and what the process says to its caller.

    HallmarkError
    ├── InputError    2  what was given is wrong: says what was expected, what came, what to do
    ├── Refused       1  the answer is no: a gate failed, a verification failed
    └── Unavailable   3  something needed is away: a server, a disk, a remote
        ├── Died         a process ended without saying why
        └── Late         it took longer than it may

Commands print the message without a traceback and exit with the code. Any other exception is a defect of
Hallmark's and keeps its traceback.
"""

import errno
import os
from typing import ClassVar

from tasks.core.shown import visible


class HallmarkError(Exception):
    """Base of every error that a person can act on; `str(error)` is the whole message, as it may be shown."""

    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        return visible(super().__str__())


class InputError(HallmarkError):
    exit_code = 2


class Refused(HallmarkError):
    exit_code = 1


class Unavailable(HallmarkError):
    exit_code = 3


class Died(Unavailable):
    """A process ended without saying why."""


class Late(Unavailable):
    """It took longer than it may."""


NO_SUCH_DOCUMENT = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError)
"""What reading a document of ours raises where somebody else wrote it: another shape, other types, no end."""

FULL_DISK = os.strerror(errno.ENOSPC)
"""What the system says of it; programs that are started say it on stderr."""


def is_full_disk(error: BaseException | None) -> bool:
    """Whether a disk without space is behind an error. Libraries wrap the system's own (ENOSPC) in errors of theirs."""
    while error is not None:
        if FULL_DISK in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
