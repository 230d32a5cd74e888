"""Which schema a database has: older ones are brought forward step by step, newer ones are refused in words.

A database of no version is of the first one. Each step is one transaction that writers of the database wait for, and
the version is part of it: a step that is interrupted has not happened, and whoever opens the database next takes it.
Beside it stands every version of Hallmark that has opened the database to write.
"""

import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Column, Engine, Integer, MetaData, Table, Text, delete, insert, inspect, select
from sqlalchemy.engine import Connection

from tasks.core.errors import Refused, Unavailable
from tasks.core.version import HALLMARK, UNNAMED, series


@dataclass(frozen=True)
class Schema:
    name: str
    """ledger, vault, lineage or leases. They may share a database, so each has its version in a table of its own."""
    tables: MetaData
    """As they are in the newest version."""
    make: Callable[[Connection], None]
    """Makes them in a database that has none of them."""
    steps: tuple[Callable[[Connection], None], ...] = ()
    """The first takes version 1 to version 2, and so on. What is in it once is never changed."""
    require: Callable[[Connection, Sequence[str]], None] = lambda connection, writers: None
    """Looks at a database that this version of Hallmark opens for the first time, and whose `writers` are known. Raises
    Refused for one of an earlier version that cannot be brought forward."""

    @property
    def version(self) -> int:
        return 1 + len(self.steps)


def prepare(engine: Engine, schema: Schema) -> None:
    """Make the tables where there are none, and bring those of an earlier version forward.

    Before the first step a copy of a SQLite file is kept, and named on stderr. Raises Unavailable for a database that a
    newer version made, Refused for one whose version no Hallmark wrote, and what `schema.require` raises.
    """
    copied = False
    while True:
        with engine.begin() as connection:
            current = version(connection, schema)
            if current is None:
                schema.make(connection)
                _put(connection, schema, schema.version)
            elif HALLMARK not in (known := writers(connection, schema)):
                schema.require(connection, known)
            if current is None or current == schema.version:
                _sign(connection, schema)
                return
            if current > schema.version:
                raise Unavailable(
                    f"{_where(engine)} was made by a newer Hallmark, {_named(connection, schema)} ({schema.name} "
                    f"schema {current}, this version, {HALLMARK}, knows {schema.version}); install the version that "
                    "made it, or a later one"
                )
            if not copied:
                _tell(engine, schema, current, _named(connection, schema))
                copied = True
            schema.steps[current - 1](connection)
            _put(connection, schema, current + 1)


def is_current(engine: Engine, schema: Schema) -> bool:
    """Whether the tables are those of this version. Waits for no writer."""
    with engine.connect().execution_options(takes_turn=False) as connection:
        return version(connection, schema) == schema.version


def version(connection: Connection, schema: Schema) -> int | None:
    """None where none of the tables is there. Raises Refused where what is said of it is no version."""
    there, table = set(inspect(connection).get_table_names()), _table(schema)
    if not there & schema.tables.tables.keys():
        return None
    if table.name not in there:
        return 1
    held: Sequence[object] = connection.scalars(select(table.c.version)).all()
    if len(held) == 1 and isinstance(held[0], int) and held[0] >= 1:
        return held[0]
    listed = ", ".join(ascii(value) for value in held[:5]) or "nothing"
    raise Refused(
        f"{_where(connection.engine)} was changed by hand: {table.name} holds {listed:.80}, expected one version from "
        "1 on; restore a backup"
    )


def _put(connection: Connection, schema: Schema, version: int) -> None:
    table = _table(schema)
    table.create(connection, checkfirst=True)
    connection.execute(delete(table))
    connection.execute(insert(table).values(version=version))


def _table(schema: Schema) -> Table:
    """One row."""
    return Table(f"hallmark_{schema.name}_schema", MetaData(), Column("version", Integer, nullable=False))


def writers(connection: Connection, schema: Schema) -> list[str]:
    """Versions of Hallmark that have opened a database to write, in order; those before 0.2.0 are not named."""
    table = _writers(schema)
    if not inspect(connection).has_table(table.name):
        return []
    return sorted(connection.scalars(select(table.c.hallmark)), key=series)


def _sign(connection: Connection, schema: Schema) -> None:
    """Put this version of Hallmark among the writers."""
    if HALLMARK in writers(connection, schema):
        return
    table = _writers(schema)
    table.create(connection, checkfirst=True)
    connection.execute(insert(table).values(hallmark=HALLMARK))


def _writers(schema: Schema) -> Table:
    """One row a version of Hallmark."""
    return Table(f"hallmark_{schema.name}_writers", MetaData(), Column("hallmark", Text, primary_key=True))


def _named(connection: Connection, schema: Schema) -> str:
    """The newest version of Hallmark that is known to have written a database."""
    return (writers(connection, schema) or [UNNAMED])[-1]


def _tell(engine: Engine, schema: Schema, version: int, by: str) -> None:
    kept = "no copy is kept here, the server's backups have it as it was"
    if engine.dialect.name == "sqlite":
        kept = f"as it was it is kept in {_copy(Path(engine.url.database or ''), version)}"
    print(
        f"{_where(engine)} was made by an earlier Hallmark, {by}; it is brought from {schema.name} schema {version} to "
        f"{schema.version}; {kept}",
        file=sys.stderr,
    )


def _copy(database: Path, version: int) -> Path:
    """A copy beside the file, whole or not there: what is committed, read by a connection of its own."""
    target = database.with_name(f"{database.name}.schema{version}")
    aside = target.with_name(f".{target.name}.part")
    aside.unlink(missing_ok=True)
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(aside)) as copy:
        source.backup(copy)
    aside.chmod(database.stat().st_mode & 0o777)
    aside.replace(target)
    return target


def _where(engine: Engine) -> str:
    return f"the database {engine.url.render_as_string(hide_password=True)}"
