"""Collector of errors, so that a command reports all problems at once instead of one per attempt."""

from collections.abc import Iterator
from contextlib import contextmanager

from tasks.core.errors import HallmarkError, InputError, Refused


class ErrorCollector:
    """Collector of errors. Callers must skip a check that would fail only because of an earlier error."""

    def __init__(self) -> None:
        self.errors: list[HallmarkError] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        try:
            yield
        except HallmarkError as error:
            self.errors.append(error)

    def add_input_error(self, text: str) -> None:
        self.errors.append(InputError(text))

    def raise_errors(self) -> None:
        """Raise the collected errors, if there are any.

        A single error is raised unchanged. Two or more errors are combined into one error with all their messages. The
        combined error is an InputError if at least one of them is an InputError, because the user can correct it. If
        not, it is Refused if at least one of them is Refused, because other people may have to act. If none is Refused
        either, it is Unavailable.
        """
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            kinds = [type(error) for error in self.errors]
            kind = next((each for each in (InputError, Refused) if any(issubclass(k, each) for k in kinds)), kinds[0])
            # The readers of two files may report the same problem of a third one.
            raise kind("\n".join(dict.fromkeys(line for error in self.errors for line in str(error).splitlines())))
