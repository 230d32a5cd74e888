"""Removal of rows so that their bytes are gone from the files of a SQLite database.

Postgres overwrites the space of removed rows by itself, after a `VACUUM`.
"""

import time

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from tasks.core.errors import Unavailable

WAIT_SECONDS = 30.0
"""Maximum number of seconds to wait for others that read or write a database."""
POLL_SECONDS = 0.1


def overwrite_removed_rows(connection: Connection) -> None:
    """Make SQLite overwrite the bytes of all rows that this connection removes from now on."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")


def empty_log(engine: Engine) -> None:
    """Move everything from SQLite's write-ahead log, which has earlier versions of rows, to the database file.

    Raises:
        Unavailable: Others read or write the database all the time.
    """
    if engine.dialect.name != "sqlite":
        return
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(POLL_SECONDS * 1000)}")
        deadline = time.monotonic() + WAIT_SECONDS
        while cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:  # it is busy
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"{engine.url.database} is being read by others, so removed rows are still in its log; wait for "
                    "their end, then repeat the command"
                )
            time.sleep(POLL_SECONDS)
    finally:
        connection.close()
