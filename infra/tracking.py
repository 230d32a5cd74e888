"""MLflow's own pages over the runs and releases of this checkout, which `hallmark up` starts.

They show what tasks/runs/tracked.py and tasks/registry/promote/mirror.py tell MLflow; nothing in Hallmark believes it.
MLflow's basic sign-in keeps others of this machine out: one user, whose password lies in .hallmark/mlflow/secret, and
who may look at everything and change nothing (tracking_access.py).
"""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from infra import ports, served
from infra.prefect import access
from infra.processes import spawn
from infra.served import Up
from tasks.core import files, locks, mlflow_database
from tasks.core.errors import InputError, Unavailable
from tasks.registry.promote import mirror

PORT = 5000
VARIABLE = "HALLMARK_MLFLOW_PORT"
"""Environment variable: another port to try first, or `off`."""
OTHERS = "MLFLOW_TRACKING_URI"
"""Environment variable: a server that somebody else runs; none is started then."""
USER = "hallmark"
SETTINGS = """\
[mlflow]
default_permission = READ
database_uri = sqlite:///{database}
admin_username = {user}
authorization_function = infra.tracking_access:authenticate
grant_default_workspace_access = false
"""


def folder(root: Path) -> Path:
    return root / ".hallmark" / "mlflow"


def find(root: Path) -> Up | None:
    """What is up for this checkout, or None."""
    return served.find(folder(root))


def secret_file(root: Path) -> Path:
    """The password of USER."""
    return folder(root) / "secret"


def start(root: Path, say: Callable[[str], None]) -> Up | None:
    """Have the pages up; None where another server is named, or none is wanted.

    Raises Unavailable with the log's path, InputError for a setting that is none.
    """
    wanted = _port()
    if wanted is None or os.environ.get(OTHERS):
        return None
    folder(root).mkdir(parents=True, exist_ok=True)
    with locks.turn(folder(root) / "up.lock", "another command starts MLflow"):
        return find(root) or _start(root, wanted, say)


def stop(root: Path) -> bool:
    """Stop what `start` started here; True where it was up."""
    return served.stop(folder(root))


def _start(root: Path, wanted: int, say: Callable[[str], None]) -> Up:
    given = _environment(root)
    mlflow_database.make(mirror.uri(root / ".hallmark"))
    for place in (wanted, 0):
        port = ports.free(place)
        if port is not None:
            process = spawn(folder(root), "mlflow", _command(root, port), given)
            if served.ready(process, port, "MLflow", folder(root) / "mlflow.log", seconds=180):
                up = Up(origin=f"http://127.0.0.1:{port}", port=port, process=process)
                return served.keep(folder(root), up)
        say(f"port {place} is in use; taking a free one for MLflow")
    raise Unavailable("no free port on 127.0.0.1")


def _command(root: Path, port: int) -> list[str]:
    """Return the arguments of MLflow's server. `--app-dir` keeps uvicorn from importing what lies in its folder."""
    return [
        "-m", "mlflow", "server", "--app-name", "basic-auth", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--backend-store-uri", mirror.uri(root / ".hallmark"), "--no-serve-artifacts",
        "--default-artifact-root", str(folder(root) / "artifacts"), "--uvicorn-opts", f"--app-dir {sys.prefix}",
    ]  # fmt: skip


def _environment(root: Path) -> dict[str, str]:
    """Its settings. A new secret begins a new list of users: MLflow keeps the password that it had first."""
    users, settings = folder(root) / "users.db", folder(root) / "sign_in.ini"
    if not secret_file(root).exists():
        users.unlink(missing_ok=True)
    password = access.kept(secret_file(root), "MLflow's")
    files.write_bytes(settings, SETTINGS.format(database=users.resolve(), user=USER).encode())
    return {
        **os.environ,
        "MLFLOW_AUTH_CONFIG_PATH": str(settings),
        "MLFLOW_AUTH_ADMIN_PASSWORD": password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": files.sha256_bytes(f"forms {password}".encode()),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
    }


def _port() -> int | None:
    """The port to try first; None for `off`. Raises InputError for a setting that is none."""
    given = os.environ.get(VARIABLE) or str(PORT)
    if given == "off":
        return None
    if not re.fullmatch("[0-9]{1,5}", given) or int(given) > 65535:
        raise InputError(f"{VARIABLE}: expected a port from 1 to 65535, 0 for any free one, or `off`, got {given!r}")
    return int(given)
