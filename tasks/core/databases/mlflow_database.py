"""Atomic creation of MLflow's tables in a SQLite file.

MLflow creates them in place, one migration after the other, under a lock in /tmp, which a stage in its sandbox does not
share. If two processes start at once, or one is killed, MLflow finds an incomplete migration and fails from then on.
"""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

SCHEME = "sqlite:///"


def create(uri: str) -> None:
    """Create the file of a `sqlite:///` URI with MLflow's tables if it does not exist; ignore any other URI.

    Several processes may call it at once: the first one that finishes creates the file.
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
