"""One log line, as text or as a JSON object.

A text line has five parts with a space between them: time in UTC, level, process, run and message. The run is `-` if
the line belongs to none. Further lines of a message or a traceback are indented, so that no message can pretend to be a
line of its own.
"""

import logging
from datetime import UTC, datetime
from typing import NamedTuple

from infra.logs.settings import FLOW_RUN, LogFormat, process_name
from tasks.core import current_run
from tasks.core.escaping import escape_hidden, escaped_json

NO_RUN = "-"
INDENT = "    "
RUN_ATTRIBUTE = "hallmark_run"
"""Attribute of a log record with the id of the run that it is about. Processes that execute no run set it with the
argument `extra` of a logging call."""


class LogLine(NamedTuple):
    """Parts of a log line; a JSON line has the same keys. `run` and `exception` are null if there is none."""

    time: str
    level: str
    process: str
    run: str | None
    message: str
    exception: str | None


class LineFormatter(logging.Formatter):
    def __init__(self, log_format: LogFormat) -> None:
        super().__init__()
        self._as_json = log_format == "json"

    def format(self, record: logging.LogRecord) -> str:
        line = self._read(record)
        return escaped_json(line._asdict()) if self._as_json else _text(line)

    def _read(self, record: logging.LogRecord) -> LogLine:
        exception = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else None)
        if record.stack_info:
            exception = "\n".join(filter(None, (exception, self.formatStack(record.stack_info))))
        task = getattr(record, "task_run_name", None)
        return LogLine(
            time=format_log_time(record.created),
            level=record.levelname,
            process=process_name(),
            run=_run_of(record),
            message=f"{task}: {record.getMessage()}" if task else record.getMessage(),
            exception=exception,
        )


def _run_of(record: logging.LogRecord) -> str | None:
    """Return the id of the run that a record is about.

    In the process of a flow run, Prefect also logs before the run begins and after it ends. For these records, the id
    is taken from the name of the flow run, which is that of its run.
    """
    prefects = getattr(record, "flow_run_name", None) if process_name() == FLOW_RUN else None
    return getattr(record, RUN_ATTRIBUTE, None) or current_run.current_run() or prefects


def format_log_time(seconds: float) -> str:
    """Format a Unix timestamp in seconds as ISO 8601 in UTC, for example `2026-03-03T04:00:00.123Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(line: LogLine) -> str:
    message = "\n".join(filter(None, (line.message, line.exception)))
    lines = escape_hidden(message).splitlines() or [""]
    return f"{line.time} {line.level} {line.process} {line.run or NO_RUN} " + f"\n{INDENT}".join(lines)
