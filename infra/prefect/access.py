"""Who may use the Prefect server of this checkout: its secret, and the settings that each process gets.

Whoever may use the server has flows run, and sees what they log. So it answers only who has the secret, which lies in
.hallmark/prefect/secret and reaches server, runner and commands in their environment, since everybody can read command
lines. A stage has no `PREFECT_*` variable at all (tasks/runs/dvc.py). No page of another origin may read an answer or
change anything, also where the browser has the secret.

A server that somebody else runs (PREFECT_API_URL) gets the user's own PREFECT_API_AUTH_STRING or PREFECT_API_KEY.
"""

import os
import secrets
from pathlib import Path

from tasks.core import files
from tasks.core.errors import InputError


def folder(root: Path) -> Path:
    return root / ".hallmark" / "prefect"


def secret_file(root: Path) -> Path:
    return folder(root) / "secret"


def secret(root: Path) -> str:
    """The secret, made where there is none. Raises InputError where others can read it."""
    return kept(secret_file(root), "the Prefect server's")


def kept(path: Path, whose: str) -> str:
    """The secret of a server, as `secret`."""
    if not path.exists():
        files.write_new(path, secrets.token_urlsafe(32).encode())
    if path.stat().st_mode & 0o077:
        raise InputError(f"{path}: others can read {whose} secret; `hallmark down`, delete the file, and start anew")
    if not (text := path.read_text().strip()):  # with none Prefect's server answers everybody
        raise InputError(f"{path}: there is no secret in it; `hallmark down`, delete the file, and start anew")
    return text


def environment(root: Path, api: str, own: bool) -> dict[str, str]:
    """What the server, the runner and a command need to meet each other; `own` where the server is this checkout's."""
    return (
        dict(os.environ)
        | {
            "PREFECT_HOME": str(folder(root)),
            "PREFECT_API_URL": api,
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
            "PREFECT_LOGGING_LEVEL": os.environ.get("PREFECT_LOGGING_LEVEL", "INFO"),
            "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
            "HALLMARK_ROOT": str(root),
            "DO_NOT_TRACK": "1",
        }
        | ({"PREFECT_API_AUTH_STRING": secret(root), "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "true"} if own else {})
    )


def server_environment(root: Path, api: str) -> dict[str, str]:
    """What a server of this checkout's own gets beside that."""
    return environment(root, api, own=True) | {
        "PREFECT_SERVER_API_AUTH_STRING": secret(root),
        "PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": api.removesuffix("/api"),
    }
