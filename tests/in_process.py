"""Commands of `hallmark` in the test's own process, which saves two seconds of imports per command.

They are for tests of what a command prints and does. Anything that depends on the process, such as Prefect's settings
and processes that a command leaves running (`run`, `up`), is tested with `tiny_project.hallmark`.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Any
from unittest.mock import patch

from typer.testing import CliRunner

from infra.cli import app
from tasks.core.errors import HallmarkError
from tasks.core.files import STATE_UMASK
from tasks.trust import keys
from tests.tiny_project import ADOPT, Done, checked


def hallmark(folder: Path, *args: str, code: int = 0) -> str:
    """Run `hallmark ARGS` in this process, with the arguments and result of `tiny_project.hallmark`."""
    done = checked(run_command(folder, args), args, code)
    return done.stdout + done.stderr


def hallmark_json(folder: Path, *args: str, code: int = 0) -> Any:
    """Run `hallmark ARGS --json` in this process, with the arguments and result of `tiny_project.hallmark_json`."""
    return json.loads(checked(run_command(folder, (*args, "--json")), args, code).stdout)


def adopt(folder: Path) -> None:
    hallmark(folder, *ADOPT)


def adopt_anew(folder: Path) -> None:
    """Put infra/governance in force with a new root key, outside of the project, as another environment would."""
    for path in (folder / ".hallmark" / "keys").glob("root*"):
        path.rename(folder.parent / f"local-{path.name}")
    keys.create_key_pair(folder.parent, "root")
    hallmark(folder, "policy", "adopt", "infra/governance", "--root-key", str(folder.parent / "root"))


def run_command(folder: Path, args: tuple[str, ...], typed: str | None = None) -> Done:
    """Run `hallmark ARGS` in the project and return its result, whatever the exit code. `typed` is its input."""
    before = os.umask(STATE_UMASK)
    try:
        with contextlib.chdir(folder), patch.dict(os.environ):
            done = CliRunner().invoke(app, args, input=typed)
    finally:
        os.umask(before)
    error = done.exception
    if isinstance(error, HallmarkError):
        return Done(args, error.exit_code, done.stdout, f"{done.stderr}hallmark: {error}\n")
    if error and not isinstance(error, SystemExit):
        raise error
    return Done(args, done.exit_code, done.stdout, done.stderr)
