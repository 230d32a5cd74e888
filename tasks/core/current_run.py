"""Run that this process executes. The log lines of the process name it (infra/logs).

A flow run is a process of its own, so the run applies to all of its threads. A context variable would not reach threads
that were started earlier, for example the one that renews the lease of the run.
"""

from collections.abc import Iterator
from contextlib import contextmanager

_current_run: str | None = None


def current_run() -> str | None:
    """Return the id of the run that this process executes, or None."""
    return _current_run


@contextmanager
def executing_run(run: str) -> Iterator[None]:
    """Make `run` the current run during the block."""
    global _current_run
    before, _current_run = _current_run, run
    try:
        yield
    finally:
        _current_run = before
