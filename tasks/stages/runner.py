"""Execution of one stage in the current folder: run its module, and report errors to the process that started it.

This file is part of every stage's code digest. It does not import the table of stages, because a new line in the table
would then make every stage run again.
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

from tasks.core import escaping
from tasks.core.documents import config
from tasks.core.errors import HallmarkError, is_disk_full
from tasks.core.files import write_bytes
from tasks.core.layout import Layout
from tasks.core.machine.processes import find_running_process

UNPROTECTED_STAGE = "ingest"
"""Name of the stage that reads rows before their personal data is replaced with placeholders."""
STARTER_PID_VARIABLE = "HALLMARK_STARTED_BY"
"""Name of the environment variable with the pid of the process that started the stage and waits for its result."""


def run_module(module: str, variant: str, root: Path) -> None:
    """Run the stage that a module contains.

    Args:
        module: Full name of the module.
        variant: Variant of the stage, such as `base` for `predict@base`; empty for a stage without variants.
        root: Worktree of the run.

    Raises:
        HallmarkError: The stage failed for a reason that a person can correct.
    """
    stage = importlib.import_module(module)
    checked = config.load_known_sections(root / "params.yaml", stage.Params)
    stage.run(checked, Layout(root), *([variant] if variant else []))


def error_file(root: Path, name: str) -> Path:
    return root / "measured" / f"{name}.error"


def traceback_without_message(error: BaseException) -> str:
    """Return the traceback and the type of an unexpected error, without its message.

    The message can quote a row with personal data, and logs are kept.
    """
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{frames}{type(error).__name__} (its message is left out, since it may quote a source)"


def exit_after_process(pid: int) -> None:
    """Wait until process `pid` has ended, then end this process.

    It could otherwise collide with a rerun of the stage.
    """
    while find_running_process(pid):
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def run(name: str, module: str, before_stage: Callable[[Path], None] = lambda _: None) -> int:
    """Run a stage and return its exit code. If the stage fails, its error message is written to `error_file`.

    Args:
        name: Name of the stage.
        module: Full name of the stage's module.
        before_stage: Function that is called with the worktree before the stage. Its errors are reported like those of
            the stage.
    """
    escaping.escape_output()
    if starter := os.environ.get(STARTER_PID_VARIABLE):
        threading.Thread(target=exit_after_process, args=(int(starter),), daemon=True).start()
    root = Path.cwd().resolve()
    error_file(root, name).unlink(missing_ok=True)
    try:
        before_stage(root)
        run_module(module, name.partition("@")[2], root)
    except HallmarkError as error:
        write_bytes(error_file(root, name), str(error).encode())
        print(f"{name}: {error}", file=sys.stderr)
        return error.exit_code
    except Exception as error:
        if not is_disk_full(error):
            if name != UNPROTECTED_STAGE:
                raise
            print(traceback_without_message(error), file=sys.stderr)
            return 1
        message = f"{name}: no space left on the disk that holds {root}; free some and run again, nothing is lost"
        with contextlib.suppress(OSError):  # probably on the same full disk
            write_bytes(error_file(root, name), message.encode())
        print(message, file=sys.stderr)
        return 3
    return 0


def main() -> int:
    _, name, module = sys.argv
    return run(name, module)
