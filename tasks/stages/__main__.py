"""`python -m tasks.stages STAGE`: one stage, in the current folder, by hand. dvc.yaml starts it by start.py."""

import argparse
import contextlib
import importlib
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

import psutil

from tasks.core import code, config, shown
from tasks.core.errors import HallmarkError, InputError, is_full_disk
from tasks.core.files import write_bytes
from tasks.core.graph import RUNS
from tasks.core.layout import Layout
from tasks.sources.sources import load_resolved, minor_version

CODE = "code"
"""No stage of a run: by hand DVC runs it first, and then knows whose code has changed (`tasks.core.code`)."""
READS_SOURCES = "ingest"
"""The stage that sees what has not been protected yet."""
STARTED_BY = "HALLMARK_STARTED_BY"
"""Environment variable: pid of the process that wants the stage's result."""


def run_stage(name: str, root: Path) -> None:
    """Run a stage in the worktree at `root`. Raises HallmarkError for what a person can mend."""
    if name == CODE:
        code.write(Layout(root))
        return
    _, _, which = name.partition("@")
    if RUNS[name].module.startswith("tasks.stages.data."):
        refuse_other_python(Layout(root))
    module = importlib.import_module(RUNS[name].module)
    checked = config.load_sections(root / "params.yaml", module.Params)
    module.run(checked, Layout(root), *([which] if which else []))


def refuse_other_python(layout: Layout) -> None:
    """Raises InputError where the run was resolved with another version of Python.

    Its Unicode tables decide what data stages write, and DVC would give these bytes to other runs of that version.
    """
    version = load_resolved(layout.sources).python if layout.sources.exists() else None
    if version not in (None, minor_version()):
        raise InputError(
            f"the run was resolved with Python {version}, and this is {minor_version()}, which may write other data; "
            f"go on with {version}, or start a new run"
        )


def error_file(root: Path, name: str) -> Path:
    """Where a failed stage leaves its message for whoever started it."""
    return root / "measured" / f"{name}.error"


def without_values(error: BaseException) -> str:
    """Where an unforeseen error came from, without its message: that may quote a row, and logs are kept."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"{frames}{type(error).__name__} (its message is left out, since it may quote a source)"


def end_with(pid: int) -> None:
    """End this process when process `pid` is gone: nobody then waits for the stage, and a rerun would meet it."""
    while psutil.pid_exists(pid):
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tasks.stages", description=__doc__)
    parser.add_argument("stage", choices=[CODE, *RUNS])
    name = parser.parse_args().stage
    shown.guard()
    if starter := os.environ.get(STARTED_BY):
        threading.Thread(target=end_with, args=(int(starter),), daemon=True).start()
    root = Path.cwd().resolve()
    error_file(root, name).unlink(missing_ok=True)
    try:
        run_stage(name, root)
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


if __name__ == "__main__":
    sys.exit(main())
