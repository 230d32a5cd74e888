"""One stage, in the current folder: its module is run, and what goes wrong is told to whoever started it.

It knows no table of stages, so that a new one lets no other run again.
"""

import contextlib
import importlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tasks.core import config, shown
from tasks.core.errors import HallmarkError, is_full_disk
from tasks.core.files import write_bytes
from tasks.core.layout import Layout
from tasks.core.processes import find

READS_SOURCES = "ingest"
"""The stage that sees what has not been protected yet."""
STARTED_BY = "HALLMARK_STARTED_BY"
"""Environment variable: pid of the process that wants the stage's result."""


def run_module(module: str, which: str, root: Path) -> None:
    """Run a stage's module. Raises HallmarkError for what a person can mend."""
    stage = importlib.import_module(module)
    checked = config.load_sections(root / "params.yaml", stage.Params)
    stage.run(checked, Layout(root), *([which] if which else []))


def error_file(root: Path, name: str) -> Path:
    """Where a failed stage leaves its message for whoever started it."""
    return root / "measured" / f"{name}.error"


def without_values(error: BaseException) -> str:
    """Where an unforeseen error came from, without its message: that may quote a row, and logs are kept."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{frames}{type(error).__name__} (its message is left out, since it may quote a source)"


def end_with(pid: int) -> None:
    """End this process when process `pid` is gone: nobody then waits for the stage, and a rerun would meet it."""
    while find(pid):
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def run(name: str, module: str, before: Callable[[Path], None] = lambda _: None) -> int:
    """Exit code of stage `name`, which is that module's. What went wrong, in `before` too, lies in `error_file`."""
    shown.guard()
    if starter := os.environ.get(STARTED_BY):
        threading.Thread(target=end_with, args=(int(starter),), daemon=True).start()
    root = Path.cwd().resolve()
    error_file(root, name).unlink(missing_ok=True)
    try:
        before(root)
        run_module(module, name.partition("@")[2], root)
    except HallmarkError as error:
        write_bytes(error_file(root, name), str(error).encode())
        print(f"{name}: {error}", file=sys.stderr)
        return error.exit_code
    except Exception as error:
        if not is_full_disk(error):
            if name != READS_SOURCES:
                raise
            print(without_values(error), file=sys.stderr)
            return 1
        message = f"{name}: no space left on the disk that holds {root}; free some and run again, nothing is lost"
        with contextlib.suppress(OSError):  # it is likely the same disk
            write_bytes(error_file(root, name), message.encode())
        print(message, file=sys.stderr)
        return 3
    return 0


def main() -> int:
    """`start.py STAGE MODULE`."""
    _, name, module = sys.argv
    return run(name, module)
