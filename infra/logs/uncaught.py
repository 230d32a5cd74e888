"""Log lines about exceptions that end a process or a thread, and about warnings of Python."""

import logging
import sys
import threading
from types import TracebackType

_LOG = logging.getLogger("hallmark")


def log_uncaught_exceptions() -> None:
    """Log uncaught exceptions and warnings from now on.

    Otherwise, Python would print them without the time, the process and the run.
    """
    sys.excepthook = _log_exception
    threading.excepthook = _log_thread_exception
    logging.captureWarnings(True)


def _log_exception(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        _LOG.critical("the process ends: %s", kind.__name__, exc_info=(kind, error, traceback))


def _log_thread_exception(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value and not issubclass(ended.exc_type, SystemExit):
        _LOG.critical(
            "a thread ends: %s",
            ended.exc_type.__name__,
            exc_info=(ended.exc_type, ended.exc_value, ended.exc_traceback),
        )
