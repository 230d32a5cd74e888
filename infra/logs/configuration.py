"""Logging configuration of Prefect, of uvicorn and of other processes, in the form of `logging.config.dictConfig`.

Prefect and uvicorn read theirs from a file. It is written anew whenever a process is started.
"""

import json
from pathlib import Path
from typing import Any

from tasks.core import files
from tasks.core.own_packages import installed_module_name

CONSOLE = "console"
PREFECT_LEVEL, SERVER_LEVEL = "${PREFECT_LOGGING_LEVEL}", "${PREFECT_SERVER_LOGGING_LEVEL}"
"""Placeholders that Prefect replaces by its settings."""
PREFECT_SERVER_HANDLERS = {"api": "APILogHandler", "worker_api": "WorkerAPILogHandler"}
"""Classes of Prefect's logging handlers that send log lines to its server, by name of the handler."""


def base_configuration() -> dict[str, Any]:
    """Return the logging configuration of a process, which logs warnings of all libraries in Hallmark's format."""
    handler = f"{installed_module_name('infra.logs.handler')}.LogHandler"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {CONSOLE: {"()": handler, "level": 0}},
        "loggers": {},
        "root": {"level": "WARNING", "handlers": [CONSOLE]},
    }


def prefect_configuration() -> dict[str, Any]:
    """Return the logging configuration of a Prefect process.

    It is Prefect's own (prefect/logging/logging.yml), except for the handler that writes to standard error. The other
    two handlers send the log lines of flow runs and of workers to Prefect's server, whose pages show them.
    """
    base = base_configuration()
    senders = {
        name: {"level": 0, "class": f"prefect.logging.handlers.{kind}"}
        for name, kind in PREFECT_SERVER_HANDLERS.items()
    }
    loggers: dict[str, Any] = {
        "prefect": {"level": PREFECT_LEVEL},
        "prefect.extra": {"level": PREFECT_LEVEL, "handlers": ["api"], "propagate": False},
        "prefect.flow_runs": {"level": "NOTSET", "handlers": ["api"]},
        "prefect.task_runs": {"level": "NOTSET", "handlers": ["api"]},
        "prefect.workers": {"level": "NOTSET", "handlers": ["worker_api"]},
        "prefect.server": {"level": SERVER_LEVEL},
        "prefect.client": {"level": PREFECT_LEVEL},
        "prefect.infrastructure": {"level": PREFECT_LEVEL},
        "prefect._internal": {"level": "${PREFECT_INTERNAL_LOGGING_LEVEL}", "handlers": [CONSOLE], "propagate": False},
        "uvicorn": {"level": SERVER_LEVEL, "handlers": [CONSOLE], "propagate": False},
        "fastapi": {"level": SERVER_LEVEL, "handlers": [CONSOLE], "propagate": False},
    }
    return base | {"handlers": base["handlers"] | senders, "loggers": loggers}


def configuration_path(folder: Path) -> Path:
    return folder / "logging.json"


def write_configuration(folder: Path, configuration: dict[str, Any]) -> Path:
    """Write a configuration to `logging.json` in a folder, and return the path."""
    path = configuration_path(folder)
    files.write_bytes(path, json.dumps(configuration, indent=2).encode())
    return path
