"""A real Postgres, started here as an ordinary user on a free port."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy

NOBODY = 65534


def binaries() -> Path | None:
    """Folder of initdb and pg_ctl: on the path, or where Debian keeps them."""
    found = shutil.which("initdb")
    kept = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found).resolve().parent if found else kept[-1].parent if kept else None


class Cluster(NamedTuple):
    url: str
    start: Callable[[], None]
    stop: Callable[[], None]


@contextmanager
def started() -> Iterator[str]:
    """URL of a fresh cluster."""
    with cluster() as made:
        yield made.url


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A fresh cluster, started; Postgres refuses to run as root, so then it runs as nobody."""
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL's server programs are not installed (apt-get install postgresql)")
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="ledger-") as name:
        if user:
            os.chown(name, NOBODY, NOBODY)
        data = f"{name}/data"
        secret = Path(name) / "secret"
        secret.write_text("s3cret")
        secret.chmod(0o644)  # whatever the umask: initdb runs as another user

        def call(program: str, *args: str) -> None:
            subprocess.run(
                [programs / program, *args], check=True, capture_output=True, cwd="/", env={"LC_ALL": "C"}, **user
            )

        call("initdb", "-D", data, "-U", "owner", "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8")
        options = f"-h 127.0.0.1 -p {port} -k {name} -c fsync=off"
        made = Cluster(
            f"postgresql://owner:s3cret@127.0.0.1:{port}/postgres",
            start=lambda: call("pg_ctl", "-D", data, "-o", options, "-l", f"{name}/log", "-w", "start"),
            stop=lambda: call("pg_ctl", "-D", data, "-m", "immediate", "stop"),
        )
        made.start()
        try:
            yield made
        finally:
            made.stop()


def sql(url: str, statement: str) -> None:
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+pg8000:"), poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)


def new_database(url: str, name: str, template: str = "template1") -> str:
    """URL of a new database of the cluster, a copy of `template`, from which everybody is thrown out before."""
    engine = sqlalchemy.create_engine(
        url.replace("postgresql:", "postgresql+pg8000:"), poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT"
    )
    with engine.begin() as connection:
        out = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{template}'"
        connection.exec_driver_sql(out)
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    return f"{url.rpartition('/')[0]}/{name}"
