"""MLflow server of this checkout, which `hallmark up` starts. Its pages show runs and releases.

The pages show data that tasks/runs/reporting/mlflow_sync.py and tasks/registry/promote/mlflow_mirror.py write to
MLflow. Hallmark itself never relies on this data. Basic authentication denies access to other users of the machine.
There is a single user, who can read everything and change nothing (tracking_access.py). The password of this user is in
.hallmark/mlflow/secret.
"""

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from infra import local_server, ports
from infra.local_server import RunningServer
from infra.logs.configuration import base_configuration, configuration_path, write_configuration
from infra.logs.settings import log_format
from infra.prefect import access
from infra.processes import spawn_process
from tasks.core import files
from tasks.core.databases import mlflow_database
from tasks.core.errors import Unavailable
from tasks.core.machine import locks
from tasks.core.own_packages import installed_module_name
from tasks.registry.promote import mlflow_mirror

DEFAULT_PORT = 5000
PORT_VARIABLE = "HALLMARK_MLFLOW_PORT"
"""Environment variable with the port to try first, or `off` for no server."""
EXTERNAL_SERVER_VARIABLE = "MLFLOW_TRACKING_URI"
"""Environment variable with the URL of an external MLflow server. If it is set, no server is started."""
USER_NAME = "hallmark"
AUTH_CONFIG = """\
[mlflow]
default_permission = READ
database_uri = {database}
admin_username = {user}
authorization_function = {access_module}:authenticate
grant_default_workspace_access = false
"""


def mlflow_folder(root: Path) -> Path:
    return root / ".hallmark" / "mlflow"


def find(root: Path) -> RunningServer | None:
    return local_server.find_running_server(mlflow_folder(root))


def secret_file(root: Path) -> Path:
    return mlflow_folder(root) / "secret"


def start(root: Path, say: Callable[[str], None]) -> RunningServer | None:
    """Return the running MLflow server of this checkout, and start it if there is none.

    The result is None if the port setting is `off` or if an external server is configured.

    Raises:
        Unavailable: The server does not start. The message names its log.
        InputError: The port setting or the form of log lines is invalid.
    """
    wanted = _preferred_port()
    log_format()
    if wanted is None or os.environ.get(EXTERNAL_SERVER_VARIABLE):
        return None
    mlflow_folder(root).mkdir(parents=True, exist_ok=True)
    with locks.hold_exclusive_lock(mlflow_folder(root) / "up.lock", "another command starts MLflow"):
        return find(root) or _start(root, wanted, say)


def stop(root: Path) -> bool:
    return local_server.stop_server(mlflow_folder(root))


def _start(root: Path, preferred_port: int, say: Callable[[str], None]) -> RunningServer:
    given = _prepare_environment(root)
    write_configuration(mlflow_folder(root), base_configuration())
    mlflow_database.create_mlflow_tables(mlflow_mirror.registry_uri(root / ".hallmark"))
    for place in (preferred_port, 0):
        port = ports.free_port(place)
        if port is not None:
            process = spawn_process(mlflow_folder(root), "mlflow", _command(root, port), given)
            if local_server.wait_until_ready(process, port, "MLflow", mlflow_folder(root) / "mlflow.log", seconds=180):
                up = RunningServer(origin=f"http://127.0.0.1:{port}", port=port, process=process)
                return local_server.write_state(mlflow_folder(root), up)
        say(f"port {place} is in use; taking a free one for MLflow")
    raise Unavailable("no free port on 127.0.0.1")


def _command(root: Path, port: int) -> list[str]:
    """Return the arguments of MLflow's server. `--app-dir` keeps uvicorn from importing files in the current folder."""
    logging = shlex.quote(str(configuration_path(mlflow_folder(root))))
    return [
        "-m", "mlflow", "server", "--app-name", "basic-auth", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--backend-store-uri", mlflow_mirror.registry_uri(root / ".hallmark"), "--no-serve-artifacts",
        "--default-artifact-root", str(mlflow_folder(root) / "artifacts"), "--uvicorn-opts",
        f"--app-dir {sys.prefix} --log-config {logging} --log-level warning",
    ]  # fmt: skip


def _prepare_environment(root: Path) -> dict[str, str]:
    """Write the server's settings file, and return the server's environment.

    If the password is new, the user database is deleted, because MLflow would otherwise keep the password of its first
    start.
    """
    users, settings = mlflow_folder(root) / "users.db", mlflow_folder(root) / "sign_in.ini"
    if not secret_file(root).exists():
        users.unlink(missing_ok=True)
    password = access.read_secret(secret_file(root), "MLflow's")
    access_module = installed_module_name("infra.tracking_access")
    database = mlflow_database.sqlite_uri(users.resolve()).replace("%", "%%")  # MLflow's parser interpolates
    text = AUTH_CONFIG.format(database=database, user=USER_NAME, access_module=access_module)
    files.write_bytes(settings, text.encode())
    return {
        **os.environ,
        "MLFLOW_AUTH_CONFIG_PATH": str(settings),
        "MLFLOW_AUTH_ADMIN_PASSWORD": password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": files.sha256_bytes(f"forms {password}".encode()),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_CONFIGURE_LOGGING": "false",
        "DO_NOT_TRACK": "1",
    }


def _preferred_port() -> int | None:
    if os.environ.get(PORT_VARIABLE) == "off":
        return None
    return ports.preferred_port(PORT_VARIABLE, DEFAULT_PORT, ", or `off`")
