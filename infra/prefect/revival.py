"""Start of a runner or a watch that has died, for example because memory ran out. Each looks after the other.

Neither starts the other itself: it would be its parent, and end it with its own end. A process in between does so. Its
command line is `python -I -m hallmark.process infra.prefect.revival`.
"""

import os
import subprocess
import sys
from pathlib import Path

from flows.lifecycle import checkout_root
from infra.prefect import server
from infra.processes import HALLMARK_PROCESS, isolated_python
from tasks.core.errors import HallmarkError, Unavailable

CHECK_SECONDS = 5.0
"""Seconds between two checks of whether the other process is alive."""


def revive_dead(root: Path) -> list[str]:
    """Start the runner or the watch of this checkout if it has died, and return the names of what was started.

    Raises:
        Unavailable: The process could not be started.
    """
    if not server.find_dead(root):
        return []
    command = isolated_python(*HALLMARK_PROCESS, "infra.prefect.revival")
    # Standard error is not captured: below `hallmark up --foreground`, what is started writes its log there.
    done = subprocess.run(command, env=dict(os.environ), stdout=subprocess.PIPE, text=True)
    if done.returncode:
        why = done.stdout.strip() or "the lines before say why"
        raise Unavailable(f"a process that died cannot be started again: {why}")
    return done.stdout.split()


def main() -> None:
    try:
        started = server.restart_dead(checkout_root())
    except HallmarkError as error:
        print(error)
        sys.exit(error.exit_code)
    print("\n".join(started))


if __name__ == "__main__":
    main()
