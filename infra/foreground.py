"""One service in the foreground, for systemd or another supervisor: `hallmark up --foreground SERVICE`.

The service runs as it does under `hallmark up`, but its processes write to this command's standard error. If the
command gets SIGTERM or Ctrl-C, it stops the service as `hallmark down` does. If the service ends by itself, the command
ends with an error, so that the supervisor starts it again.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from infra import local_server
from infra.logs.settings import FOREGROUND_VARIABLE
from tasks.core.errors import InputError, Unavailable

CHECK_SECONDS = 2.0
"""Seconds between two checks of whether the service is running."""


class Controls(NamedTuple):
    """Functions that start, stop and look up one service of a checkout."""

    start: Callable[[], object]
    stop: Callable[[], bool]
    is_working: Callable[[], bool]
    is_recorded: Callable[[], bool]
    """Function that returns whether the service was started and nobody has stopped it; it may have ended since."""


def local_controls(folder: Path, start: Callable[[], object]) -> Controls:
    """Return the functions for a server on loopback whose state is in `folder`."""
    return Controls(
        start=start,
        stop=lambda: local_server.stop_server(folder),
        is_working=lambda: local_server.find_running_server(folder) is not None,
        is_recorded=lambda: local_server.is_recorded(folder),
    )


def run_in_foreground(service: str, controls: Controls) -> None:
    """Start a service, and wait until it is stopped.

    Raises:
        InputError: The service is running already.
        Unavailable: The service did not start, or ended by itself.
    """
    if controls.is_working():
        raise InputError(f"{service} is up already; `hallmark down` stops it")
    os.environ[FOREGROUND_VARIABLE] = "1"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        controls.start()
        while controls.is_working():
            time.sleep(CHECK_SECONDS)
    except KeyboardInterrupt:
        _stop(controls)
        return
    if controls.is_recorded():
        _stop(controls)
        raise Unavailable(f"{service} has ended by itself; the lines before say why")


def _stop(controls: Controls) -> None:
    """Stop the service. Further signals are ignored, because an interrupted stop leaves processes behind."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    controls.stop()
