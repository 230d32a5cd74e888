"""Atomic creation of MLflow's tables in a SQLite file.

MLflow creates its tables in place, one migration after the other. It takes a lock in /tmp, but a stage in its sandbox
has a separate /tmp. So if two processes start at the same time, or if one is killed, the migration can remain
incomplete, and MLflow fails from then on.
"""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory


def sqlite_uri(file: Path) -> str:
    """Return the URI of a SQLite file, in which characters such as `?` and `%` of its path are quoted.

    A quoted URI names the driver too. Without it, MLflow would take the rest of the URI for the path of the file, and
    create the folder.
    """
    from sqlalchemy import URL  # slow

    plain = f"sqlite:///{file}"
    quoted = URL.create("sqlite", database=str(file)).render_as_string()
    return plain if quoted == plain else quoted.replace("sqlite:", "sqlite+pysqlite:", 1)


def create_mlflow_tables(tracking_uri: str) -> None:
    """Create a SQLite file with MLflow's tables if the file does not exist.

    Concurrent calls are safe: the first process to finish creates the file.

    Args:
        tracking_uri: Tracking URI. A URI that is not that of a SQLite file by its absolute path is ignored.
    """
    file = _sqlite_file(tracking_uri)
    if file is None or file.exists():
        return
    from mlflow import MlflowClient

    file.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="making-", dir=file.parent) as folder:
        new_file = Path(folder) / file.name
        MlflowClient(sqlite_uri(new_file)).search_experiments(max_results=1)
        with suppress(FileExistsError):
            os.link(new_file, file)


def _sqlite_file(tracking_uri: str) -> Path | None:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    with suppress(ArgumentError, ValueError):
        url = make_url(tracking_uri)
        if url.get_backend_name() == "sqlite" and not url.query and url.database and url.database.startswith("/"):
            return Path(url.database)
    return None
