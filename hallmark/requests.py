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

from hallmark.arguments import require_text
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
    r"""Return the option that sets a parameter to exactly this value.

    The command reads YAML, and JSON is YAML with two exceptions: YAML does not join two `\u` escapes to one character,
    and does not allow some unescaped characters. So all characters outside of ASCII are escaped one by one.

    Raises:
        InputError: A parameter cannot have a value of this type, or the name is not one.
    """
    if "=" in require_text("set", name):
        raise InputError(f"set: expected a name such as training.epochs, got {name!r}")
    if isinstance(value, str):
        require_text(f"set: {name}", value)
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        raise InputError(f"set: {name}: expected text, a number, True, False, None or a list, got {value!r}") from None
    escaped = require_text(f"set: {name}", text).encode("ascii", "backslashreplace").decode().replace("\x7f", "\\x7f")
    return f"--set={name}={escaped}"


def _error(code: int, printed: str) -> HallmarkError:
    _, found, message = f"\n{printed}".rpartition(f"\n{MESSAGE_PREFIX}")
    if not found or code not in ERRORS:
        return ProcessDied(f"`hallmark run` ended with exit code {code}:\n{printed}")
    return ERRORS[code](message.strip())
