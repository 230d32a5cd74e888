"""Requests for runs, by the command `hallmark run` in a process of its own.

The command starts Prefect's processes and configures Prefect by environment variables, which Prefect reads once in a
process. So it does not run in the caller's process, which may use Prefect for something else.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tasks.core import json_text
from tasks.core.errors import HallmarkError, InputError, ProcessDied, Refused, Unavailable

ERRORS: Mapping[int, type[HallmarkError]] = {kind.exit_code: kind for kind in (InputError, Refused, Unavailable)}
"""Errors of commands by exit code."""
MESSAGE_PREFIX = "hallmark: "


def start_run(root: Path, *options: str) -> str:
    """Run `hallmark run` with options, which returns once the run was started, and return the id of the run.

    Raises:
        InputError: The request is wrong; all mistakes are in the message.
        Refused: Policy, the ledger or another run forbids it.
        Unavailable: Prefect, the ledger or something else that the run needs is away.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-m", "hallmark", "run", "--detach", "--json", *options],
        cwd=root, env=os.environ | {"HALLMARK_ROOT": str(root)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise _error(done.returncode, done.stderr)
    return str(json_text.parse(done.stdout)["run"])


def change_option(name: str, value: object) -> str:
    """Return the option that sets one parameter. A string is passed as it is, any other value as JSON."""
    return f"--set={name}={value if isinstance(value, str) else json.dumps(value)}"


def _error(code: int, printed: str) -> HallmarkError:
    _, found, message = f"\n{printed}".rpartition(f"\n{MESSAGE_PREFIX}")
    if not found or code not in ERRORS:
        return ProcessDied(f"`hallmark run` ended with exit code {code}:\n{printed}")
    return ERRORS[code](message.strip())
