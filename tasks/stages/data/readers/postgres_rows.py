"""Rows of a query of a Postgres database, read in one snapshot and with a cursor of the server.

The transaction is READ ONLY, and the query is sent as one prepared statement, DECLARE … CURSOR FOR, which Postgres
accepts for a SELECT alone. The settings that the texts of values depend on are fixed. Messages of the server are shown
only if they are about names in the query, because others can quote rows, users or hosts.
"""

import ssl
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tasks.core.errors import HallmarkError, InputError, Unavailable
from tasks.sources import source_places
from tasks.sources.sources import Source
from tasks.stages.data.readers import sql_lines, sql_query

if TYPE_CHECKING:
    from pg8000.core import CoreConnection
    from sqlalchemy.engine import URL

CONNECT_SECONDS = 30
"""Maximum number of seconds in which a server accepts a connection."""
ANSWER_MARGIN_SECONDS = 30
"""Number of seconds after the end of a query in which the server must answer."""
FETCH_BYTES, FIRST_ROWS, MAX_ROWS = 4 << 20, 10, 1_000
"""Size in bytes of the rows that are fetched together, as estimated from earlier rows, and their number, at first and
at most."""
SETTINGS = {
    "TimeZone": "UTC", "DateStyle": "ISO, YMD", "IntervalStyle": "iso_8601", "bytea_output": "hex",
    "extra_float_digits": "1", "lock_timeout": "30s",
}  # fmt: skip
JSON_TYPES = (114, 3802)
"""Numbers of the types json and jsonb."""
OWN_TABLES = ("hallmark_ledger", "hallmark_vault")
"""Tables of Hallmark's own databases, which are no sources."""
OWN_TABLES_SQL = f"SELECT 1 FROM pg_catalog.pg_class WHERE relname IN {OWN_TABLES} AND relkind IN ('r', 'p', 'v', 'f')"
NAMES_CLASS = "42"
"""Class of the SQLSTATEs of errors about names and syntax of a query."""
TIMEOUT_STATE, WRITE_STATE = "57014", "25006"
CREDENTIAL_CLASS, DATABASE_STATE = "28", "3D000"
TEMPORARY_CLASSES = ("08", "40", "53", "55", "57", "58")
"""Classes of the SQLSTATEs of errors that can be over later: connections, conflicts, lack of space, shutdowns."""
CONNECTION_ERRORS = (OSError, struct.error)
"""Exceptions that pg8000 raises, beside its own InterfaceError, for a connection that ended."""


@contextmanager
def open_lines(source: Source) -> Iterator[Iterator[bytes]]:
    """Yield the rows of a source's query as JSON Lines.

    Raises:
        InputError: The query or the connection is refused, or exceeds a limit of the source.
        Unavailable: The server cannot be reached, or ended the connection.
    """
    query = sql_query.require_one_select(source, "postgres")
    deadline = time.monotonic() + source.query_seconds
    connection = _connect(source_places.parse_database_url(source), source)
    try:
        with _explained_errors(source):
            _begin(connection, query, source)
            columns, _ = _fetch(connection, 0)
        sql_lines.check_columns(columns, source)
        yield sql_lines.write_lines(_read_rows(connection, deadline, source), columns, source)
    finally:
        with suppress(Exception):  # the server may have ended the connection
            connection.close()


def _connect(url: "URL", source: Source) -> "CoreConnection":
    from pg8000.core import CoreConnection
    from pg8000.exceptions import DatabaseError, InterfaceError

    from tasks.core.databases import postgres_options
    from tasks.core.databases.addresses import is_this_machine

    where = f"source {source.id}: {source.location}"
    if "sslmode" not in url.query and not is_this_machine(url.host):
        raise InputError(
            f"{where}: a connection to a database on another machine says whether it is encrypted; expected "
            "?sslmode=verify-full&sslrootcert=FILE at the end of `location`"
        )
    arguments = {"timeout": CONNECT_SECONDS, "application_name": "hallmark"}
    arguments |= postgres_options.connect_arguments(url.query)
    try:
        connection = CoreConnection(
            url.username, host=url.host, port=url.port or source_places.POSTGRES_PORT, database=url.database,
            password=url.password, **arguments,
        )  # fmt: skip
    except DatabaseError as error:
        raise _connection_error(_state(error), where) from None
    except ssl.SSLError:
        raise InputError(
            f"{where}: the server's certificate is not accepted; sslrootcert must name the file of the authority that "
            "certified this server"
        ) from None
    except (InterfaceError, *CONNECTION_ERRORS) as error:
        raise _reach_error(error, where) from None
    connection._usock.settimeout(source.query_seconds + ANSWER_MARGIN_SECONDS)
    for number in JSON_TYPES:
        connection.register_in_adapter(number, sql_lines.JsonText)
    return connection


def _connection_error(state: str, where: str) -> HallmarkError:
    if state.startswith(CREDENTIAL_CLASS):
        return InputError(f"{where}: the server refuses this user or password (SQLSTATE {state}); correct them")
    if state == DATABASE_STATE:
        return InputError(f"{where}: the server has no database of this name; correct `location`")
    if state.startswith(TEMPORARY_CLASSES):
        return Unavailable(f"{where}: the server accepts no connection now (SQLSTATE {state}); try again later")
    return InputError(f"{where}: the server refuses the connection (SQLSTATE {state}); correct `location`")


def _reach_error(error: Exception, where: str) -> HallmarkError:
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    if "SSL" in str(error):
        return InputError(f"{where}: the server does not speak TLS; correct sslmode, or have TLS set up there")
    why = "timed out" if isinstance(cause, TimeoutError) else type(cause).__name__
    return Unavailable(f"{where} cannot be reached ({why}); check its host, port and the network, then try again")


def _begin(connection: "CoreConnection", query: str, source: Source) -> None:
    connection.execute_simple("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    for name, value in (SETTINGS | {"statement_timeout": f"{source.query_seconds}s"}).items():
        connection.execute_simple(f"SET LOCAL {name} = '{value}'")
    if connection.execute_simple(OWN_TABLES_SQL).rows:
        raise InputError(f"source {source.id}: {source.location} is a database of Hallmark itself, which is no source")
    connection.execute_unnamed(f"DECLARE source_rows NO SCROLL CURSOR FOR {query}")


def _fetch(connection: "CoreConnection", count: int) -> tuple[list[str], list[Sequence[Any]]]:
    found = connection.execute_unnamed(f"FETCH FORWARD {count} FROM source_rows")
    return [column["name"] for column in found.columns or ()], found.rows or []


def _read_rows(connection: "CoreConnection", deadline: float, source: Source) -> Iterator[Sequence[Any]]:
    count, done = FIRST_ROWS, 0
    while True:
        if time.monotonic() > deadline:
            raise sql_lines.timeout_error(source)
        with _explained_errors(source, done):
            rows = _fetch(connection, count)[1]
        yield from rows
        done += len(rows)
        if len(rows) < count:
            return
        largest = max(sum(len(value) if isinstance(value, str | bytes) else 32 for value in row) for row in rows)
        count = max(1, min(MAX_ROWS, FETCH_BYTES // max(largest, 1)))


@contextmanager
def _explained_errors(source: Source, done: int = 0) -> Iterator[None]:
    from pg8000.exceptions import DatabaseError, InterfaceError

    where = f"source {source.id}: {source.location}"
    try:
        yield
    except DatabaseError as error:
        raise _query_error(error, source) from None
    except (InterfaceError, *CONNECTION_ERRORS):
        raise Unavailable(f"{where}: the server ended the connection after row {done:,}; try again later") from None
    except (ValueError, OverflowError, RecursionError):
        raise InputError(
            f"{where}: a value after row {done:,} cannot be read, such as a date after the year 9999; write it as text "
            "in `query`: CAST(… AS text)"
        ) from None


def _query_error(error: Exception, source: Source) -> HallmarkError:
    where, state = f"source {source.id}: {source.location}", _state(error)
    if state == TIMEOUT_STATE:
        return sql_lines.timeout_error(source)
    if state == WRITE_STATE:
        return InputError(f"{where}: `query` writes, and a source only reads; take out what writes")
    if state.startswith(TEMPORARY_CLASSES):
        return Unavailable(f"{where} cannot be read now (SQLSTATE {state}); try again later")
    told = f": {error.args[0].get('M', '')}" if state.startswith(NAMES_CLASS) else ""
    return InputError(f"{where}: the database refuses `query` (SQLSTATE {state}){told}")


def _state(error: Exception) -> str:
    told = error.args[0] if error.args else None
    return str(told.get("C", "")) if isinstance(told, dict) else ""
