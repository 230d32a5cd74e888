"""Schema versions of databases. Older schemas are migrated step by step, and newer ones are refused.

A database that does not store a schema version has version 1. Each migration step is one transaction, which also
updates the schema version. So an interrupted step has no effect, and the next process that opens the database repeats
it. A second table lists every version of Hallmark that has opened the database for writing.
"""

import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sqlalchemy import Column, Engine, Integer, MetaData, Table, Text, delete, insert, inspect, select
from sqlalchemy.engine import Connection

from tasks.core.errors import Refused, Unavailable
from tasks.core.version import UNKNOWN_VERSION, VERSION, minor_version


@dataclass(frozen=True)
class Schema:
    name: str
    """Name of the schema: ledger, vault, lineage or leases. Schemas can share a database, so each has its own tables
    for its version and its writers."""
    tables: MetaData
    create_tables: Callable[[Connection], None]
    migration_steps: tuple[Callable[[Connection], None], ...] = ()
    """Migration steps in order; the first one migrates version 1 to version 2. A released step is never changed."""
    check_before_writing: Callable[[Connection, Sequence[str]], None] = lambda connection, writers: None
    """Function that runs before this version of Hallmark writes to a database for the first time.

    It receives the connection and the versions of Hallmark that have written to the database, and raises Refused if the
    database cannot be migrated.
    """

    @property
    def version(self) -> int:
        return 1 + len(self.migration_steps)


def migrate(engine: Engine, schema: Schema) -> None:
    """Create the tables of a schema, or migrate existing tables from an earlier version.

    A SQLite file is copied before the first migration step, and the path of the copy is printed to stderr.

    Raises:
        Unavailable: A newer version of Hallmark created the tables.
        Refused: The stored schema version is not valid, or `schema.check` refuses the database.
    """
    copied = False
    while True:
        with engine.begin() as connection:
            current = read_schema_version(connection, schema)
            if current is None:
                schema.create_tables(connection)
                _set_version(connection, schema, schema.version)
            elif VERSION not in (known := read_writer_versions(connection, schema)):
                schema.check_before_writing(connection, known)
            if current is None or current == schema.version:
                _add_writer(connection, schema)
                return
            if current > schema.version:
                raise Unavailable(
                    f"{_database_name(engine)} was made by a newer Hallmark, {_newest_writer(connection, schema)} "
                    f"({schema.name} schema {current}, this version, {VERSION}, knows {schema.version}); install the "
                    "version that made it, or a later one"
                )
            if not copied:
                _report_migration(engine, schema, current, _newest_writer(connection, schema))
                copied = True
            schema.migration_steps[current - 1](connection)
            _set_version(connection, schema, current + 1)


def is_schema_current(engine: Engine, schema: Schema) -> bool:
    with engine.connect().execution_options(takes_turn=False) as connection:
        return read_schema_version(connection, schema) == schema.version


def read_schema_version(connection: Connection, schema: Schema) -> int | None:
    """Return the schema version of a database, or None if the database has none of the schema's tables.

    Raises:
        Refused: The stored schema version is not valid.
    """
    there, table = set(inspect(connection).get_table_names()), _version_table(schema.name)
    if not there & schema.tables.tables.keys():
        return None
    if table.name not in there:
        return 1
    stored_versions: Sequence[object] = connection.scalars(select(table.c.version)).all()
    if len(stored_versions) == 1 and isinstance(stored_versions[0], int) and stored_versions[0] >= 1:
        return stored_versions[0]
    listed = ", ".join(ascii(value) for value in stored_versions[:5]) or "nothing"
    raise Refused(
        f"{_database_name(connection.engine)} was changed by hand: {table.name} holds {listed:.80}, expected one "
        "version from 1 on; restore a backup"
    )


def _set_version(connection: Connection, schema: Schema, version: int) -> None:
    table = _version_table(schema.name)
    table.create(connection, checkfirst=True)
    connection.execute(delete(table))
    connection.execute(insert(table).values(version=version))


@lru_cache  # SQLAlchemy compiles a statement once for each table object
def _version_table(schema_name: str) -> Table:
    return Table(f"hallmark_{schema_name}_schema", MetaData(), Column("version", Integer, nullable=False))


def read_writer_versions(connection: Connection, schema: Schema) -> list[str]:
    """Return the versions of Hallmark that have written to a database, sorted.

    Versions before 0.2.0 did not record themselves.
    """
    table = _writers_table(schema.name)
    if not inspect(connection).has_table(table.name):
        return []
    return sorted(connection.scalars(select(table.c.hallmark)), key=minor_version)


def _add_writer(connection: Connection, schema: Schema) -> None:
    if VERSION in read_writer_versions(connection, schema):
        return
    table = _writers_table(schema.name)
    table.create(connection, checkfirst=True)
    connection.execute(insert(table).values(hallmark=VERSION))


@lru_cache
def _writers_table(schema_name: str) -> Table:
    return Table(f"hallmark_{schema_name}_writers", MetaData(), Column("hallmark", Text, primary_key=True))


def _newest_writer(connection: Connection, schema: Schema) -> str:
    return (read_writer_versions(connection, schema) or [UNKNOWN_VERSION])[-1]


def _report_migration(engine: Engine, schema: Schema, version: int, writer_version: str) -> None:
    kept = "no copy is kept here, the server's backups have it as it was"
    if engine.dialect.name == "sqlite":
        kept = f"as it was it is kept in {_back_up_sqlite(Path(engine.url.database or ''), version)}"
    print(
        f"{_database_name(engine)} was made by an earlier Hallmark, {writer_version}; "
        f"it is brought from {schema.name} schema "
        f"{version} to {schema.version}; {kept}",
        file=sys.stderr,
    )


def _back_up_sqlite(database: Path, version: int) -> Path:
    target = database.with_name(f"{database.name}.schema{version}")
    temporary_path = target.with_name(f".{target.name}.part")
    temporary_path.unlink(missing_ok=True)
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(temporary_path)) as copy:
        source.backup(copy)
    temporary_path.chmod(database.stat().st_mode & 0o777)
    temporary_path.replace(target)
    return target


def _database_name(engine: Engine) -> str:
    return f"the database {engine.url.render_as_string(hide_password=True)}"
