"""Setting `HALLMARK_LOG_FORMAT`, and the variables by which a process learns its name and its log file."""

import multiprocessing
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from tasks.core.errors import InputError

FORMAT_VARIABLE = "HALLMARK_LOG_FORMAT"
"""Environment variable with the format of log lines: `text` or `json`."""
PROCESS_VARIABLE = "HALLMARK_LOG_PROCESS"
"""Environment variable with the name of the process in its log lines. Hallmark sets it for processes that it starts."""
FILE_VARIABLE = "HALLMARK_LOG_FILE"
"""Environment variable with the path of the file to which the output of a background process is written. Hallmark sets
it for processes that it starts; processes in the foreground have none."""
FOREGROUND_VARIABLE = "HALLMARK_LOG_FOREGROUND"
"""Environment variable that is set in processes that `hallmark up --foreground` starts. These processes, and those that
they start, write to the standard error of that command."""

FLOW_RUN = "flow-run"
"""Name of the process of a flow run in its log lines."""

LogFormat = Literal["text", "json"]


def log_format() -> LogFormat:
    """Return the format of log lines.

    Raises:
        InputError: The setting is neither `text` nor `json`.
    """
    match os.environ.get(FORMAT_VARIABLE) or "text":
        case "text":
            return "text"
        case "json":
            return "json"
        case other:
            raise InputError(f"{FORMAT_VARIABLE}: expected `text` or `json`, got {other!r}")


def process_name() -> str:
    """Return the name of this process in log lines; FLOW_RUN for one that executes a flow run.

    Prefect's runner starts such a process with `multiprocessing`. The worker of a work pool starts it as a command, and
    passes the id of the flow run in the environment.
    """
    name = os.environ.get(PROCESS_VARIABLE, "hallmark")
    is_child_of_runner = name == "runner" and multiprocessing.parent_process() is not None
    return FLOW_RUN if is_child_of_runner or "PREFECT__FLOW_RUN_ID" in os.environ else name


def log_path() -> Path | None:
    """Return the log file of this process; None for a process in the foreground."""
    given = os.environ.get(FILE_VARIABLE)
    return Path(given) if given else None


def process_variables(name: str, path: Path | None, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a process that logs under `name`, with the variables of this module.

    `path` is its log file; None for a process in the foreground.
    """
    rest = {key: value for key, value in environment.items() if key != FILE_VARIABLE}
    return rest | {PROCESS_VARIABLE: name} | ({FILE_VARIABLE: str(path)} if path else {})
