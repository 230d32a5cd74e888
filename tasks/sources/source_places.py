"""Places of sources: a path on this machine, an object store, or a database."""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

from tasks.core.errors import InputError
from tasks.core.steps.kinds import SQL_KIND
from tasks.sources.location_variables import fill_variables, split_location
from tasks.sources.sources import Source

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

SQLITE_PREFIX = "sqlite:///"
POSTGRES_PORT = 5432
PUBLIC_FOLDERS = ("/etc/ssl/certs/", "/etc/pki/")
"""System folders with certificates, which every stage can read."""
TLS_FILE_OPTIONS = ("sslrootcert", "sslcert", "sslkey")
"""Options of a Postgres URL that name files."""


def find_local_path(source: Source) -> str | None:
    """Return the path of a source's file, folder or SQLite database, with its variables filled in.

    The result is None if the source is on a server.

    Raises:
        InputError: A variable is not set, or the location is none of a database.
    """
    location = fill_variables(source.location)
    if source.kind != SQL_KIND:
        return None if "://" in location else location
    if not location.startswith("sqlite:"):
        return None
    path = location.removeprefix(SQLITE_PREFIX)
    if path == location or not path or "?" in path:
        raise InputError(f"source {source.id}: {source.location}: expected sqlite:///PATH without options")
    return path


def find_files(source: Source) -> Iterator[str]:
    """Yield the paths of all files and folders of this machine that reading a source needs.

    Beside a SQLite database are the files with the changes that it does not contain yet.
    """
    if (path := find_local_path(source)) is not None:
        yield path
        if source.kind == SQL_KIND:
            yield from (f"{path}{suffix}" for suffix in ("-wal", "-shm", "-journal"))
    elif source.kind == SQL_KIND:
        options = parse_database_url(source).query
        named = [str(options[name]) for name in TLS_FILE_OPTIONS if options.get(name) not in (None, "system")]
        yield from (path for path in named if not path.startswith(PUBLIC_FOLDERS) or ".." in path)


def parse_database_url(source: Source) -> "URL":
    """Return the URL of a source's Postgres database.

    Values of variables before the @ are taken as they are, also if they contain `@` or `/`.

    Raises:
        InputError: It is no such URL, or could be plain text or a socket. No message contains the value of a variable.
        Unavailable: The driver is not installed.
    """
    from tasks.core.databases.database import parse_postgres_url

    where = f"source {source.id}: {source.location}"
    filled, values = _fill_url(source.location)
    try:
        url = parse_postgres_url(filled, where)
    except InputError as error:
        told = str(error).removeprefix(where)
        if any(value in told for value in values if value):
            raise InputError(f"{where}: a value of its variables gives no postgresql:// URL; correct it") from None
        raise InputError(f"{where}{told}, or sqlite:///PATH") from None
    if "unix_sock" in url.query or not url.host or not url.username or not url.database:
        raise InputError(f"{where}: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE, a host and no socket")
    return url


def _fill_url(location: str) -> tuple[str, list[str]]:
    """Return a URL with its variables filled in, quoted if they are before the @, and the values of the variables."""
    pieces = list(split_location(location))
    written = "".join(before + ("\0" if name else "") for before, name, _ in pieces)
    user, at, _ = written.partition("://")[2].partition("/")[0].rpartition("@")
    first = written.partition("://")[0].count("\0")
    quoted = range(first, first + user.count("\0")) if at else range(0)
    filled, values = "", list[str]()
    for number, (before, name, default) in enumerate(pieces):
        value = "" if name is None else fill_variables(f"${{{name}{'' if default is None else f':-{default}'}}}")
        filled += before + (quote(value, safe="") if number in quoted else value)
        values.append(value)
    return filled, values
