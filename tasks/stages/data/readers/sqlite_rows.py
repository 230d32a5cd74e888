"""Rows of a query of a SQLite file, which is opened for reading alone.

SQLite's authorizer refuses everything but reading tables while it prepares the query: ATTACH, PRAGMA, writes, and
functions that load code or whose values differ each time.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tasks.core.errors import HallmarkError, InputError, Unavailable
from tasks.sources.sources import Source
from tasks.stages.data.readers import limits, sql_lines, sql_query

LOCK_SECONDS = 30
"""Maximum number of seconds to wait for a process that writes to the file."""
PROGRESS_STEPS = 10_000
"""Number of SQLite's steps between two looks at the time, about a millisecond."""
ALLOWED_ACTIONS = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE)
REFUSED_FUNCTIONS = ("load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "random", "randomblob")
"""Functions that reach outside the file, or whose values differ each time."""
HEADER_BYTES, WAL_PLACE, WAL_MARK = 20, 18, 2
"""Size of the part of a file's header that says, at WAL_PLACE, whether changes are written to a separate file."""
SAFE_MESSAGES = ("no such ", "near ", "ambiguous column name", "incomplete input", "wrong number of arguments")
"""Beginnings of messages of SQLite that quote the query, and no value of a row."""
BUSY_CODES = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN)


@contextmanager
def open_lines(source: Source, path: Path) -> Iterator[Iterator[bytes]]:
    """Yield the rows of a source's query as JSON Lines, all of one state of the file.

    Raises:
        InputError: The file is a link, or the query is refused, takes too long, or exceeds a limit of the source.
        Unavailable: The file is locked.
    """
    if path.is_symlink():  # stages see a link as a file, beside which the changes are not
        raise InputError(
            f"source {source.id}: {source.location} is a link, and the latest changes of a database are beside the "
            "file itself; give the path of that file"
        )
    query = sql_query.require_one_select(source, "sqlite")
    deadline = time.monotonic() + source.query_seconds
    try:
        with closing(_connect(path)) as connection:
            _restrict(connection, deadline, source)
            cursor = connection.execute(query)
            names = [column[0] for column in cursor.description]
            sql_lines.check_columns(names, source)
            yield sql_lines.write_lines(_read_rows(cursor, deadline, source), names, source)
    except sqlite3.Error as error:
        raise _explain_error(error, source) from None


def _connect(path: Path) -> sqlite3.Connection:
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
    changes = Path(f"{path}-wal")
    uses_wal = len(header) == HEADER_BYTES and header[WAL_PLACE] == WAL_MARK
    # SQLite would make an index of changes beside the file if there are none.
    whole = uses_wal and not (changes.exists() and changes.stat().st_size)
    mode = "mode=ro&immutable=1" if whole else "mode=ro"
    return sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True, timeout=LOCK_SECONDS, isolation_level=None)


def _restrict(connection: sqlite3.Connection, deadline: float, source: Source) -> None:
    connection.execute("PRAGMA trusted_schema=OFF")  # a view may not call what a query may not
    connection.execute("PRAGMA cell_size_check=ON")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, min(4 * source.max_row_bytes + 1_000, 1_000_000_000))
    connection.set_progress_handler(lambda: time.monotonic() > deadline, PROGRESS_STEPS)
    connection.set_authorizer(_authorize)


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_DENY if str(second).lower() in REFUSED_FUNCTIONS else sqlite3.SQLITE_OK
    return sqlite3.SQLITE_OK if action in ALLOWED_ACTIONS else sqlite3.SQLITE_DENY


def _read_rows(cursor: sqlite3.Cursor, deadline: float, source: Source) -> Iterator[Sequence[Any]]:
    try:
        for row in cursor:
            if time.monotonic() > deadline:
                raise sql_lines.timeout_error(source)
            yield row
    except sqlite3.Error as error:
        raise _explain_error(error, source) from None


def _explain_error(error: sqlite3.Error, source: Source) -> HallmarkError:
    where, code = f"source {source.id}: {source.location}", getattr(error, "sqlite_errorcode", 0) & 255
    told = str(error)
    if code == sqlite3.SQLITE_INTERRUPT:
        return sql_lines.timeout_error(source)
    if code == sqlite3.SQLITE_AUTH or told.startswith("not authorized"):
        return InputError(
            f"{where}: `query` does what a source may not: it may read tables of its file, and not attach others, set "
            f"pragmas or call {', '.join(REFUSED_FUNCTIONS)}"
        )
    if code in BUSY_CODES or code == sqlite3.SQLITE_READONLY:
        return Unavailable(
            f"{where} cannot be read now: another process writes to it, or ended before its changes were in the file; "
            "open it once with its own program, then try again"
        )
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return InputError(f"{where} is no SQLite database, or a damaged one; correct its location, or restore the file")
    if code == sqlite3.SQLITE_TOOBIG:
        return limits.row_size_error("a row", source)
    if "decode to UTF-8" in told:
        return InputError(f"{where}: a text is not UTF-8; write it as text in `query`, for example with hex()")
    why = f": {told.partition(chr(10))[0]}" if told.startswith(SAFE_MESSAGES) else ""
    return InputError(f"{where}: SQLite refuses `query` ({getattr(error, 'sqlite_errorname', 'error')}){why}")
