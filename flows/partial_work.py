"""Work in independent parts. If one part fails, the others are still done."""

from collections.abc import Callable

from tasks.core.errors import HallmarkError


class PartialFailure(HallmarkError):
    """Failure of some parts of the work, with the results of the other parts and the reason for each failure."""

    def __init__(self, done: list[str], failed: list[str]) -> None:
        super().__init__("; ".join(failed))
        self.done = done
        self.failed = failed


class PartialWork:
    def __init__(self) -> None:
        self._done: list[str] = []
        self._failed: list[str] = []

    def attempt(self, description: str, part: Callable[[], list[str]]) -> None:
        """Do one part of the work. Any exception is recorded as a failure, even a programming error."""
        try:
            self._done += part()
        except PartialFailure as error:
            self._done += error.done
            self._failed += error.failed
        except Exception as error:
            self._failed.append(f"{description}: {error if isinstance(error, HallmarkError) else repr(error)}")

    def add_failures(self, reasons: list[str]) -> None:
        self._failed += reasons

    def finish(self) -> list[str]:
        """Return the results of all parts.

        Raises:
            PartialFailure: A part failed.
        """
        if self._failed:
            raise PartialFailure(self._done, self._failed)
        return self._done
