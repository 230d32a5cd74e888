"""Removal of rows so that their bytes are gone from the files of a SQLite database.

Postgres overwrites the space of removed rows by itself, after a `VACUUM`.
"""

from sqlalchemy import Engine
from sqlalchemy.engine import Connection


def overwrite_removed_rows(connection: Connection) -> None:
    """Make SQLite overwrite the bytes of all rows that this connection removes from now on."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")


def empty_log(engine: Engine) -> None:
    """Move everything from SQLite's write-ahead log, which has earlier versions of rows, to the database file."""
    if engine.dialect.name != "sqlite":
        return
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    finally:
        connection.close()
