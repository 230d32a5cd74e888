"""Work of several parts, of which one that fails keeps no other from being done."""

from collections.abc import Callable

from tasks.core.errors import HallmarkError


class Partly(HallmarkError):
    """Some of it could not be done: whoever called tells what was, and each reason once."""

    def __init__(self, done: list[str], failed: list[str]) -> None:
        super().__init__("; ".join(failed))
        self.done = done
        self.failed = failed


class Parts:
    """What was done, and what failed, so far."""

    def __init__(self) -> None:
        self._done: list[str] = []
        self._failed: list[str] = []

    def attempt(self, what: str, part: Callable[[], list[str]]) -> None:
        """Do one of the parts; whatever it raises is a reason, of a defect too."""
        try:
            self._done += part()
        except Partly as error:
            self._done += error.done
            self._failed += error.failed
        except Exception as error:
            self._failed.append(f"{what}: {error if isinstance(error, HallmarkError) else repr(error)}")

    def failed(self, reasons: list[str]) -> None:
        self._failed += reasons

    def done(self) -> list[str]:
        """What was done. Raises Partly where something was not."""
        if self._failed:
            raise Partly(self._done, self._failed)
        return self._done
