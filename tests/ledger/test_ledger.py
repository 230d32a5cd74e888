"""The ledger on SQLite: order, durability, what triggers stop, and what is said where it is away."""

import contextlib
import os
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.json_text import canonical_json
from tasks.ledger.entry import ENTRY_TYPE
from tasks.ledger.ledger import Ledger, Row, open_ledger
from tests import forking
from tests.forking import Forking


def connect(folder: Path) -> sqlite3.Connection:
    return sqlite3.connect(folder / "ledger.db", isolation_level=None)


def test_entries_come_back_as_appended_with_the_time_in_utc(ledger: Ledger, tmp_path: Path) -> None:
    before = datetime.now(UTC)
    first = ledger.append("gate.asked", "run-1", {"b": [1, 2.5, None], "a": "ä"})
    second = ledger.append("gate.closed", "run-1", {})
    third = ledger.append("gate.asked", "run-2", {})
    assert [first.seq, second.seq, third.seq] == [1, 2, 3]
    assert before <= first.time <= second.time <= datetime.now(UTC)
    assert first.time.utcoffset() == timedelta(0)
    assert ledger.entries() == open_ledger(tmp_path).entries() == [first, second, third]
    assert ledger.entries("gate.asked") == [first, third]
    assert ledger.entries(subject="run-1", after=1) == [second]
    assert ledger.entries("gate.asked", "run-2") == [third]


@given(st.integers(), *[st.text()] * 4)
def test_a_leaf_is_the_canonical_json_of_the_columns(seq: int, time: str, kind: str, subject: str, body: str) -> None:
    row = Row(seq, time, kind, subject, body)
    assert row.leaf_bytes() == canonical_json(row._asdict() | {"type": ENTRY_TYPE})


def test_a_transaction_lands_whole_or_not_at_all(ledger: Ledger) -> None:
    with pytest.raises(Refused), ledger.transaction():
        ledger.append("a", "x", {})
        with ledger.transaction():
            ledger.append("b", "x", {})
        raise Refused("no")
    assert ledger.entries() == []
    with ledger.transaction() as inside:
        assert inside.append("a", "x", {}).seq == 1
        assert [entry.kind for entry in ledger.entries()] == ["a"]
    assert len(ledger.entries()) == 1


def test_what_json_cannot_say_is_not_recorded(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        ledger.append("a", "x", {"n": float("nan")})
    assert ledger.entries() == []


@pytest.mark.attack(rights="database", stopped="triggers on the table")
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE hallmark_ledger SET body = '{}' WHERE seq = 1",
        "UPDATE hallmark_ledger SET seq = 7 WHERE seq = 1",
        "UPDATE OR REPLACE hallmark_ledger SET seq = 2 WHERE seq = 1",
        "DELETE FROM hallmark_ledger",
        "INSERT OR REPLACE INTO hallmark_ledger VALUES (1, 't', 'k', 's', '{}')",
        "INSERT INTO hallmark_ledger VALUES (2, 't', 'k', 's', '{}') ON CONFLICT (seq) DO UPDATE SET body = '{}'",
        "INSERT INTO hallmark_ledger VALUES (9, 't', 'k', 's', '{}')",
        "INSERT INTO hallmark_ledger VALUES (-1, 't', 'k', 's', '{}')",
        "INSERT INTO hallmark_ledger (time, kind, subject, body) SELECT time, kind, subject, body FROM hallmark_ledger",
    ],
)
def test_triggers_stop_every_way_to_change_it(ledger: Ledger, tmp_path: Path, change: str) -> None:
    ledger.append("a", "x", {"n": 1})
    ledger.append("b", "x", {"n": 2})
    before = ledger.entries()
    connection = connect(tmp_path)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(change)
    connection.close()
    assert ledger.entries() == before


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("body", "no json"),
        ("body", "[]"),
        ("body", "[" * 100_000),
        ("time", "yesterday"),
        ("time", "2026-01-01T00:00:00"),
    ],
)
def test_a_row_that_hallmark_cannot_have_written_is_pointed_at(
    ledger: Ledger, tmp_path: Path, column: str, value: str
) -> None:
    ledger.append("a", "x", {})
    connection = connect(tmp_path)
    connection.execute("DROP TRIGGER hallmark_ledger_no_update")
    connection.execute(f"UPDATE hallmark_ledger SET {column} = ?", (value,))
    connection.close()
    with pytest.raises(Refused, match="entry 1 of the ledger was changed"):
        ledger.entries()


WRITER = """
import sys
from pathlib import Path
from tasks.ledger.ledger import open_ledger
ledger = open_ledger(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    with ledger.transaction():
        seen = len(ledger.entries())
        assert ledger.append("count", sys.argv[3], {"seen": seen}).seq == seen + 1
        print(seen + 1, flush=True)
"""


@pytest.fixture(scope="module")
def processes() -> Iterator[Forking]:
    with forking.importing("tasks.ledger.tables") as started:
        yield started


def take_turns(processes: Forking, folder: Path, count: int) -> None:
    """Let three processes append at once to a ledger that none of them finds there."""
    running = [processes.start(WRITER, folder, count, name) for name in "abc"]
    assert [process.communicate()[0].count("\n") for process in running] == [count] * 3
    assert [process.returncode for process in running] == [0, 0, 0]
    entries = open_ledger(folder).entries()
    assert [entry.seq for entry in entries] == list(range(1, 3 * count + 1))
    assert all(entry.body["seen"] == entry.seq - 1 for entry in entries)


def test_processes_take_turns_so_what_was_read_still_holds_at_the_append(tmp_path: Path, processes: Forking) -> None:
    take_turns(processes, tmp_path, 40)


def test_threads_take_turns(ledger: Ledger) -> None:
    def count(_: int) -> None:
        for _ in range(20):
            with ledger.transaction():
                ledger.append("count", "x", {"seen": len(ledger.entries())})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    assert [entry.body["seen"] for entry in ledger.entries()] == list(range(80))


def test_a_writer_waits_only_so_long_and_reading_not_at_all(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.append("a", "x", {})
    monkeypatch.setattr("tasks.core.databases.database.WAIT_SECONDS", 0.2)
    impatient = open_ledger(tmp_path)
    holder = connect(tmp_path)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="database is locked"):
        impatient.append("b", "x", {})
    assert len(impatient.entries()) == 1
    holder.close()
    assert len(impatient.entries()) == 1, "nothing was recorded"


def test_a_killed_writer_leaves_whole_entries_and_no_lock(ledger: Ledger, tmp_path: Path, processes: Forking) -> None:
    confirmed = 0
    for round_ in range(5):
        process = processes.start(WRITER, tmp_path, 100_000, f"round {round_}")
        for _ in range(3 + 2 * round_):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        lines = process.communicate()[0].splitlines()
        confirmed = int(lines[-1]) if lines else confirmed
        entries = ledger.entries()
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert len(entries) >= confirmed - 1  # the last line is printed before its commit
        ledger.append("after", "x", {})


def test_a_ledger_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("")
    with pytest.raises(Unavailable, match="make it writable"):
        open_ledger(tmp_path / "a-file" / "state")
    (tmp_path / "ledger.db").mkdir()
    with pytest.raises(Unavailable, match="unable to open database file"):
        open_ledger(tmp_path)
    (tmp_path / "ledger.db").rmdir()
    (tmp_path / "ledger.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(Unavailable, match="file is not a database"):
        open_ledger(tmp_path)


def test_a_ledger_without_write_permission_says_so() -> None:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as later:
        folder = Path(name)
        open_ledger(folder).append("a", "x", {})
        for path in folder.iterdir():
            path.chmod(0o444)
        folder.chmod(0o555)
        if os.geteuid() == 0:  # root may write everywhere; be nobody for a moment
            os.seteuid(65534)
            later.callback(os.seteuid, 0)
        with pytest.raises(Unavailable, match="cannot be used"):
            open_ledger(folder)


def test_a_full_disk_is_unavailable_and_loses_nothing(ledger: Ledger, tmp_path: Path, processes: Forking) -> None:
    """A limit on file size stands in for the disk: SQLite's writes fail in the same place."""
    ledger.append("a", "x", {"n": 1})
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from tasks.ledger.ledger import open_ledger\n"
        "ledger = open_ledger(Path(sys.argv[1]))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "ledger.append('b', 'x', {'blob': 'x' * 100_000})\n"
    )
    result = processes.run(script, tmp_path)
    assert "Unavailable" in result.stderr
    assert "nothing was recorded" in result.stderr
    assert [entry.kind for entry in ledger.entries()] == ["a"]
    ledger.append("c", "x", {})


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "sqlite:///other.db"])
def test_a_wrong_url_is_a_mistake_of_whoever_set_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("HALLMARK_LEDGER_URL", url)
    with pytest.raises(InputError, match="HALLMARK_LEDGER_URL: expected postgresql://"):
        open_ledger(tmp_path)


def test_a_postgres_that_is_away_is_unavailable_and_its_password_stays_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HALLMARK_LEDGER_URL", "postgresql://anna:s3cret@127.0.0.1:9/ledger")
    with pytest.raises(Unavailable, match="Check that the database is up") as caught:
        open_ledger(tmp_path)
    assert "s3cret" not in str(caught.value)
    assert not (tmp_path / "ledger.db").exists()


def test_ledgers_of_one_file_share_an_engine_and_each_is_closed_on_its_own(tmp_path: Path) -> None:
    first, second = open_ledger(tmp_path / "state"), open_ledger(tmp_path / "state")
    assert first._tables._engine is second._tables._engine, "its compiled statements serve both"
    first.append("a", "x", {})
    first.close()
    assert second.append("b", "x", {}).seq == 2
    second.close()
    replaced, other = tmp_path / "state" / "ledger.db", open_ledger(tmp_path / "other")
    other.append("c", "x", {})
    other.close()
    replaced.unlink()
    (tmp_path / "other" / "ledger.db").rename(replaced)
    assert [entry.kind for entry in open_ledger(tmp_path / "state").entries()] == ["c"], "the file that is there now"
