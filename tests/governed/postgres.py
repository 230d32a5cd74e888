"""A real Postgres, started here as an ordinary user on a free port.

Most tests need a database and nothing of the server: they make one in the session's, the fixture `postgres` of
tests/conftest.py. One that stops its server, or runs it for another machine, starts `cluster`.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from tests import shared

NOBODY = 65534


def binaries() -> Path | None:
    """Folder of initdb and pg_ctl: on the path, or where Debian keeps them."""
    found = shutil.which("initdb")
    kept = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found).resolve().parent if found else kept[-1].parent if kept else None


@dataclass(frozen=True)
class Cluster:
    """A server, the folder that it keeps everything in, and its port on loopback."""

    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://owner:s3cret@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        # A test does not outlive the machine's power: nothing is flushed.
        options = f"-h 127.0.0.1 -p {self.port} -c unix_socket_directories= -c fsync=off -c autovacuum=off"
        self._call("pg_ctl", "-D", f"{self.folder}/data", "-o", options, "-l", f"{self.folder}/log", "-w", "start")

    def stop(self) -> None:
        self._call("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop")

    def initialise(self) -> None:
        if _user():
            os.chown(self.folder, NOBODY, NOBODY)
        secret = self.folder / "secret"
        secret.write_text("s3cret")
        secret.chmod(0o644)  # whatever the umask: initdb runs as another user
        options = ("-U", "owner", "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--no-sync")
        self._call("initdb", "-D", f"{self.folder}/data", *options)

    def _call(self, program: str, *args: str) -> None:
        command = [_binaries() / program, *args]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", env={"LC_ALL": "C"}, **_user())
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Start a fresh cluster."""
    made = _started()
    try:
        yield made
    finally:
        _ended(made)


@contextmanager
def started() -> Iterator[str]:
    """Start a fresh cluster, and yield its URL."""
    with cluster() as made:
        yield made.url


@contextmanager
def shared_cluster(home: Path) -> Iterator[str]:
    """Yield the URL of the cluster that all processes with the same folder `home` share."""

    def start() -> dict[str, str]:
        made = _started()
        return {"folder": str(made.folder), "port": str(made.port)}

    def named(known: dict[str, str]) -> Cluster:
        return Cluster(Path(known["folder"]), int(known["port"]))

    with shared.service(home, "postgres", start, lambda known: _ended(named(known))) as known:
        yield named(known).url


def _binaries() -> Path:
    if (programs := binaries()) is None:
        pytest.skip("PostgreSQL's server programs are not installed (apt-get install postgresql)")
    return programs


def _user() -> dict[str, Any]:
    """Return the arguments of `subprocess` that run Postgres as nobody, if we are root: it refuses to run as root."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def _started() -> Cluster:
    _binaries()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Not below pytest's folders: nobody may enter those, and the path of a socket is short.
    made = Cluster(Path(tempfile.mkdtemp(prefix="ledger-")), port)
    try:
        made.initialise()
        made.start()
    except BaseException:
        shutil.rmtree(made.folder)
        raise
    return made


def _ended(made: Cluster) -> None:
    made.stop()
    shutil.rmtree(made.folder)


def sql(url: str, statement: str) -> None:
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+pg8000:"), poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)


def new_database(url: str, name: str = "", template: str = "template1") -> str:
    """Return the URL of a new database of the cluster, a copy of `template`, from which everybody is thrown out before.

    Without a name it has one that nobody else gives.
    """
    name, server = name or f"test_{uuid.uuid4().hex}", url.rpartition("/")[0]
    engine = sqlalchemy.create_engine(
        f"{server.replace('postgresql:', 'postgresql+pg8000:')}/postgres",
        poolclass=sqlalchemy.NullPool,
        isolation_level="AUTOCOMMIT",
    )
    with engine.begin() as connection:
        out = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{template}'"
        connection.exec_driver_sql(out)
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    return f"{server}/{name}"
