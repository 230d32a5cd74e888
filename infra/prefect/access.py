"""Access to the Prefect server of this checkout: its secret, and the environment of each process.

A client of the server can start flow runs and read their logs. The server therefore requires a secret, which is stored
in .hallmark/prefect/secret. Server, runner and commands receive the secret in their environment, because all users of a
machine can read command lines. A stage receives no `PREFECT_*` variable (tasks/runs/outputs/dvc.py). Pages of other
origins can neither read responses nor change anything, even in a browser that has the secret.

For an external server (PREFECT_API_URL), the user's own PREFECT_API_AUTH_STRING or PREFECT_API_KEY is used.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from infra.logs.configuration import prefect_configuration, write_configuration
from tasks.core import files
from tasks.core.errors import InputError


def prefect_folder(root: Path) -> Path:
    return root / ".hallmark" / "prefect"


def secret_file(root: Path) -> Path:
    return prefect_folder(root) / "secret"


def server_secret(root: Path) -> str:
    """Return the secret of the Prefect server, and create it if there is none.

    Raises:
        InputError: Other users can read the file, or it is empty.
    """
    return read_secret(secret_file(root), "the Prefect server's")


def read_secret(path: Path, server_name: str) -> str:
    """Return a server's secret from a file, and create the file if there is none.

    `server_name` is the name of the server in error messages.

    Raises:
        InputError: Other users can read the file, or it is empty.
    """
    if not path.exists():
        files.create_private_file(path, secrets.token_urlsafe(32).encode())
    if path.stat().st_mode & 0o077:
        raise InputError(
            f"{path}: others can read {server_name} secret; `hallmark down`, delete the file, and start anew"
        )
    if not (text := path.read_text().strip()):  # with an empty one, Prefect's server needs no authentication
        raise InputError(f"{path}: there is no secret in it; `hallmark down`, delete the file, and start anew")
    return text


def client_environment(root: Path, api: str, is_own_server: bool) -> dict[str, str]:
    """Return the environment of a client of the Prefect server.

    `is_own_server` says whether this checkout started the server.
    """
    return (
        dict(os.environ)
        | {
            "PREFECT_HOME": str(prefect_folder(root)),
            "PREFECT_API_URL": api,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
            "PREFECT_LOGGING_LEVEL": os.environ.get("PREFECT_LOGGING_LEVEL", "INFO"),
            "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
            "HALLMARK_ROOT": str(root),
            "DO_NOT_TRACK": "1",
        }
        | (
            {"PREFECT_API_AUTH_STRING": server_secret(root), "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "true"}
            if is_own_server
            else {}
        )
    )


def server_environment(root: Path, api: str) -> dict[str, str]:
    return client_environment(root, api, is_own_server=True) | {
        "PREFECT_SERVER_API_AUTH_STRING": server_secret(root),
        "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": api.removesuffix("/api"),
    }


def with_hallmark_log_format(root: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a Prefect process that logs in Hallmark's format instead of Prefect's.

    The environment is not meant for commands. They use Prefect's client as well, but print their own messages.
    """
    path = write_configuration(prefect_folder(root), prefect_configuration())
    return {**environment, "PREFECT_LOGGING_CONFIG_PATH": str(path)}
