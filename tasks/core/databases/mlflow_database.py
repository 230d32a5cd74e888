"""Atomic creation of MLflow's tables in a SQLite file.

MLflow creates its tables in place, one migration after the other, under a lock in /tmp, which a stage in its sandbox
does not share. If two processes start at once, or one is killed, MLflow finds an incomplete migration and fails from
then on.
"""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

SCHEME = "sqlite:///"


def create(uri: str) -> None:
    """Create a SQLite file with MLflow's tables if the file does not exist.

    Concurrent calls are safe: the first process to finish creates the file.

    Args:
        uri: Tracking URI. A URI that does not start with `sqlite:///` is ignored.
    """
    file = Path(uri.removeprefix(SCHEME))
    if not uri.startswith(f"{SCHEME}/") or "?" in uri or file.exists():
        return
    from mlflow import MlflowClient

    file.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="making-", dir=file.parent) as folder:
        new_file = Path(folder) / file.name
        MlflowClient(f"{SCHEME}{new_file}").search_experiments(max_results=1)
        with suppress(FileExistsError):
            os.link(new_file, file)
