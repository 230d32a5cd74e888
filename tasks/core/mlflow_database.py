"""MLflow's tables in a SQLite file, made whole or not at all.

MLflow makes them in place, one migration after the other, behind a lock in /tmp, which a stage in its sandbox does not
share. Where two begin at once, or one is killed, it finds half of a migration and can never go on.
"""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

SCHEME = "sqlite:///"


def make(uri: str) -> None:
    """Make the file of such an address where there is none; of any other do nothing. Of several that make it at once
    one wins. Raises what MLflow raises."""
    file = Path(uri.removeprefix(SCHEME))
    if not uri.startswith(f"{SCHEME}/") or "?" in uri or file.exists():
        return
    from mlflow import MlflowClient

    file.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="making-", dir=file.parent) as aside:
        made = Path(aside) / file.name
        MlflowClient(f"{SCHEME}{made}").search_experiments(max_results=1)
        with suppress(FileExistsError):
            os.link(made, file)
