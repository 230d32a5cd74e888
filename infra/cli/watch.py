"""Command `hallmark watch`."""

import os
import sys

from infra.cli import shared
from infra.cli.shared import checkout_root, console
from infra.logs.settings import log_format, process_variables
from infra.prefect import access, notify, server
from infra.processes import HALLMARK_PROCESS, isolated_python
from tasks.runs.environment import isolated_environment


def watch() -> None:
    """Watch gates, deadlines, schedules and ledger heads in the foreground, until Ctrl-C.

    `hallmark up` starts a watch in the background. This command is for a dedicated machine, or for one whose
    services are started in another way. If more than one watch uses a ledger, one holds the lease, and the others wait
    to take over.

    Example: hallmark watch
    """
    where = checkout_root()
    notify.configured_destination()
    log_format()
    shared.open_checkout().ledger.close()  # report problems with the ledger here, and not only in a log
    up = server.find(where)
    api = up.api if up else os.environ.get("PREFECT_API_URL", "")
    if not api:
        console.print("no Prefect server is up here: runs that are suspended on this machine wait until `hallmark up`")
    environment = access.client_environment(where, api, is_own_server=up is not None and up.server is not None)
    given = isolated_environment(process_variables("watch", None, access.with_hallmark_log_format(where, environment)))
    if not api:
        del given["PREFECT_API_URL"]
    console.print("watching; end it with Ctrl-C")
    sys.stdout.flush()
    os.chdir(access.prefect_folder(where))  # Prefect reads settings from the current folder
    command = isolated_python(*HALLMARK_PROCESS, "infra.prefect.watch")
    os.execve(sys.executable, command, given)
