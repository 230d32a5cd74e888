"""`hallmark watch`"""

import os
import sys

from infra.cli.shared import console, root
from infra.prefect import access, notify, server
from tasks.ledger.ledger import open_ledger
from tasks.runs.environment import BYTECODE, isolated


def watch() -> None:
    """Watch over gates, deadlines, schedules and the ledger's heads, in the foreground, until Ctrl-C.

    `hallmark up` starts one in the background. This is for a machine that only watches, or whose services something
    else starts. Of several that share a ledger one holds the lease; the others wait to take over.

    Example: hallmark watch
    """
    where = root()
    notify.target()
    open_ledger(where / ".hallmark").close()  # what is wrong with it is told here, and not in a log
    up = server.find(where)
    api = up.api if up else os.environ.get("PREFECT_API_URL", "")
    if not api:
        console.print("no Prefect server is up here: runs that are parked on this machine wait until `hallmark up`")
    given = isolated(access.environment(where, api, own=up is not None and up.server is not None))
    if not api:
        del given["PREFECT_API_URL"]
    console.print("watching; end it with Ctrl-C")
    sys.stdout.flush()
    os.chdir(access.folder(where))  # Prefect takes settings from the folder that it finds itself in
    command = [sys.executable, "-I", "-X", f"pycache_prefix={BYTECODE}", "-m", "infra.prefect.watch"]
    os.execve(sys.executable, command, given)
