"""The same ledger on a real Postgres, started here as an ordinary user on a free port."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from sqlalchemy.exc import DBAPIError

from tasks.errors import Unavailable
from tasks.govern import gates
from tasks.govern.ledger import open_ledger
from tests.govern.house import House
from tests.govern.test_ledger import ROOT, WRITER

pytestmark = pytest.mark.slow
NOBODY = 65534


def binaries() -> Path | None:
    """Folder of initdb and pg_ctl: on the path, or where Debian keeps them."""
    found = shutil.which("initdb")
    kept = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return Path(found).resolve().parent if found else kept[-1].parent if kept else None


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """URL of a fresh cluster; Postgres refuses to run as root, so then it runs as nobody."""
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

        def call(program: str, *args: str) -> None:
            subprocess.run(
                [programs / program, *args], check=True, capture_output=True, cwd="/", env={"LC_ALL": "C"}, **user
            )

        call("initdb", "-D", data, "-U", "owner", "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8")
        options = f"-h 127.0.0.1 -p {port} -k {name} -c fsync=off"
        call("pg_ctl", "-D", data, "-o", options, "-l", f"{name}/log", "-w", "start")
        try:
            yield f"postgresql://owner:s3cret@127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "-D", data, "-m", "immediate", "stop")


@pytest.fixture
def url(cluster: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The cluster with an empty database, and the setting that points at it."""
    sql(cluster, "DROP TABLE IF EXISTS hallmark_ledger")
    monkeypatch.setenv("HALLMARK_LEDGER_URL", cluster)
    return cluster


def sql(url: str, statement: str) -> None:
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+pg8000:"), poolclass=sqlalchemy.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)


def test_order_transactions_and_time(url: str, tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    first = ledger.append("a", "x", {"ä": [1, 2.5, None]})
    with pytest.raises(RuntimeError), ledger.transaction():
        ledger.append("b", "x", {})
        raise RuntimeError
    second = open_ledger(tmp_path).append("c", "x", {})
    assert [first.seq, second.seq] == [1, 2]
    assert first.time < second.time < ledger.now()
    assert ledger.entries() == [first, second]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE hallmark_ledger SET body = '{}'",
        "DELETE FROM hallmark_ledger",
        "TRUNCATE hallmark_ledger",
        "INSERT INTO hallmark_ledger VALUES (1, 't', 'k', 's', '{}') ON CONFLICT (seq) DO UPDATE SET body = '{}'",
        "INSERT INTO hallmark_ledger VALUES (9, 't', 'k', 's', '{}')",
    ],
)
def test_triggers_stop_every_way_to_change_it(url: str, tmp_path: Path, change: str) -> None:
    ledger = open_ledger(tmp_path)
    entry = ledger.append("a", "x", {"n": 1})
    with pytest.raises(DBAPIError, match="append-only"):
        sql(url, change)
    assert ledger.entries() == [entry]


def test_processes_take_turns_also_in_making_the_table(url: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path), "25"]
    running = [subprocess.Popen([*command, name], cwd=ROOT, stdout=subprocess.DEVNULL) for name in "abc"]
    assert [process.wait() for process in running] == [0, 0, 0]
    entries = open_ledger(tmp_path).entries()
    assert [entry.seq for entry in entries] == list(range(1, 76))
    assert all(entry.body["seen"] == entry.seq - 1 for entry in entries)


def test_a_writer_waits_only_so_long_and_reading_not_at_all(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.govern.database.WAIT_SECONDS", 1)
    ledger, other = open_ledger(tmp_path), open_ledger(tmp_path)
    with ledger.transaction():
        ledger.append("a", "x", {})
        assert other.entries() == []
        with pytest.raises(Unavailable, match="lock timeout"):
            other.append("b", "x", {})
    assert [entry.kind for entry in other.entries()] == ["a"]


def test_a_wrong_password_is_unavailable_and_stays_secret(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HALLMARK_LEDGER_URL", url.replace("s3cret", "gue55"))
    with pytest.raises(Unavailable, match="cannot be used") as caught:
        open_ledger(tmp_path)
    assert "gue55" not in str(caught.value)


def test_a_gate_goes_its_way(url: str, house: House) -> None:
    house.ledger = open_ledger(house.state)
    asked = house.ask()
    house.decide(asked, "owner")
    assert house.settle(asked).state == "passed"
    assert gates.waiting(house.ledger) == []
