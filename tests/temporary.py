"""Temporary folder of a test session: `hallmark-tests-UID/PID` in the machine's temporary folder.

By default pytest uses one folder for all sessions of a user. Each session removes older ones there, and two that do so
at the same time leave a directory open (pytest 9.2, `cleanup_numbered_dir`). That causes a ResourceWarning, which fails
the session although every test has passed.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from tasks.core.machine.processes import find_running_process

KEPT = 1
"""Number of ended sessions whose files are kept, so that failures can be examined."""
INNER = "PYTEST_INNER"
"""Environment variable: not empty if a test started this session."""


def of_session() -> Path:
    """Return the folder of this process, and start to remove folders of sessions that have ended.

    A process of its own removes them, because a busy machine takes minutes for the files of one session. A session that
    a test started removes none.
    """
    base = Path(tempfile.gettempdir()) / f"hallmark-tests-{os.getuid()}"
    base.mkdir(mode=0o700, exist_ok=True)
    if base.is_symlink() or base.stat().st_uid != os.getuid():
        raise PermissionError(f"{base} belongs to another user; remove it")
    if os.environ.get(INNER):
        return base / str(os.getpid())
    ended = [each for each in base.iterdir() if each.name.isdigit() and not find_running_process(int(each.name))]
    ended.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
    if ended[KEPT:]:
        remove = ["setsid", "--fork", "nice", "rm", "-rf", *map(str, ended[KEPT:])]
        subprocess.run(remove, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return base / str(os.getpid())
