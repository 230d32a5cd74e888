"""Atomic creation of MLflow's tables in a SQLite file.

MLflow creates its tables in place, one migration after the other. It takes a lock in /tmp, but a stage in its sandbox
has a separate /tmp. So if two processes start at the same time, or if one is killed, the migration can remain
incomplete, and MLflow fails from then on.
"""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

SQLITE_SCHEME = "sqlite:///"


def create_mlflow_tables(tracking_uri: str) -> None:
    """Create a SQLite file with MLflow's tables if the file does not exist.

    Concurrent calls are safe: the first process to finish creates the file.

    Args:
        tracking_uri: Tracking URI. A URI that does not start with `sqlite:///` is ignored.
    """
    file = Path(tracking_uri.removeprefix(SQLITE_SCHEME))
    if not tracking_uri.startswith(f"{SQLITE_SCHEME}/") or "?" in tracking_uri or file.exists():
        return
    from mlflow import MlflowClient

    file.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="making-", dir=file.parent) as folder:
        new_file = Path(folder) / file.name
        MlflowClient(f"{SQLITE_SCHEME}{new_file}").search_experiments(max_results=1)
        with suppress(FileExistsError):
            os.link(new_file, file)
