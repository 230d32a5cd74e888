"""The same ledger on a real Postgres."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from tasks.core.errors import Unavailable
from tasks.gates import gates
from tasks.ledger import proof as ledger_proof
from tasks.ledger import quick_check
from tasks.ledger.leases import open_leases
from tasks.ledger.ledger import ADVISORY_LOCK, open_ledger
from tasks.ledger.schema import METADATA
from tests import forking
from tests.governed.house import House
from tests.governed.postgres import cluster as fresh_cluster
from tests.governed.postgres import new_database, sql
from tests.ledger.publishing import append, published, verified
from tests.ledger.test_ledger import take_turns

pytestmark = pytest.mark.slow


@pytest.fixture
def url(cluster: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The cluster with an empty database, and the setting that points at it."""
    sql(cluster, f"DROP TABLE IF EXISTS {', '.join(METADATA.tables)}, hallmark_ledger_schema, hallmark_ledger_writers")
    monkeypatch.setenv("HALLMARK_LEDGER_URL", cluster)
    return cluster


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


def test_what_is_read_in_one_block_is_of_one_moment(url: str, tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path)
    ledger.append("a", "x", {})
    with ledger.reading():
        assert ledger.last_seq() == 1
        open_ledger(tmp_path).append("b", "x", {})
        assert ledger.last_seq() == 1 and len(ledger.entries()) == 1
    assert ledger.last_seq() == 2


def test_processes_take_turns_also_in_making_the_table(url: str, tmp_path: Path) -> None:
    with forking.importing("tasks.ledger.tables", "pg8000") as processes:
        take_turns(processes, tmp_path, 25)


@pytest.mark.attack(rights="database", stopped="the lock of writers is that of a table to which they may write")
def test_a_role_that_may_connect_and_no_more_keeps_nobody_from_writing(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.core.databases.database.WAIT_SECONDS", 1)
    ledger = open_ledger(tmp_path)
    ledger.append("a", "x", {})
    sql(url, "DROP ROLE IF EXISTS stranger")
    sql(url, "CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    theirs = make_url(url).set(drivername="postgresql+pg8000", username="stranger", password="stranger")
    engine = create_engine(theirs, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_lock({ADVISORY_LOCK})")
        for write in ("SELECT 1 FROM hallmark_ledger FOR UPDATE", "LOCK TABLE hallmark_ledger_tree IN EXCLUSIVE MODE"):
            with pytest.raises(DBAPIError, match="permission denied"):
                connection.exec_driver_sql(f"BEGIN; {write}")
            connection.exec_driver_sql("ROLLBACK")
        open_ledger(tmp_path).append("b", "x", {})
        assert open_leases(tmp_path).acquire("watch", "me", "here")
    assert ledger.last_seq() == 2


def test_a_writer_waits_only_so_long_and_reading_not_at_all(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.core.databases.database.WAIT_SECONDS", 1)
    ledger, other = open_ledger(tmp_path), open_ledger(tmp_path)
    with ledger.transaction():
        ledger.append("a", "x", {})
        assert other.entries() == []
        with pytest.raises(Unavailable, match="lock timeout"):
            other.append("b", "x", {})
    assert [entry.kind for entry in other.entries()] == ["a"]


def test_a_writer_that_stands_still_loses_its_turn(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a process in a paused virtual machine, or one that was stopped by hand."""
    ledger, other = open_ledger(tmp_path), open_ledger(tmp_path)
    with pytest.raises(Unavailable, match="nothing was recorded"), ExitStack() as turn:
        with monkeypatch.context() as hangs:
            hangs.setattr("tasks.core.databases.database.IDLE_SECONDS", 4)
            turn.enter_context(ledger.transaction())
        ledger.append("a", "x", {})
        other.append("b", "x", {})
    assert [entry.kind for entry in ledger.entries()] == ["b"]


def test_a_wrong_password_is_unavailable_and_stays_secret(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HALLMARK_LEDGER_URL", url.replace("s3cret", "gue55"))
    with pytest.raises(Unavailable, match="cannot be used") as caught:
        open_ledger(tmp_path)
    assert "gue55" not in str(caught.value)


UNGUARDED = [f"ALTER TABLE {table} DISABLE TRIGGER ALL" for table in ("hallmark_ledger", "hallmark_ledger_attached")]


def test_the_tree_grows_with_the_entries_and_heads_hold_them(house: House, url: str) -> None:
    house.ledger = open_ledger(house.state)
    append(house, 5)
    published(house)
    append(house, 2)
    report = verified(house)
    assert (report.verdict, report.entries, report.anchored) == ("holds", 7, 5)
    assert ledger_proof.prove_inclusion(house.ledger, house.governance, 3).entry.subject == "subject 2"
    with pytest.raises(RuntimeError), house.ledger.transaction():
        append(house, 3)
        raise RuntimeError
    assert house.ledger.frontier().size == 7 and verified(house).verdict == "holds"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE hallmark_ledger SET body = '{}' WHERE seq = 2",
        "DELETE FROM hallmark_ledger WHERE seq = 3",
        "DELETE FROM hallmark_ledger WHERE seq > 3",
        "INSERT INTO hallmark_ledger SELECT -1, time, kind, subject, body FROM hallmark_ledger WHERE seq = 1",
        "UPDATE hallmark_ledger SET seq = CASE seq WHEN 1 THEN -2 ELSE -1 END WHERE seq < 3; "
        "UPDATE hallmark_ledger SET seq = -seq WHERE seq < 0",
    ],
)
def test_what_its_owner_changes_shows(house: House, url: str, change: str) -> None:
    house.ledger = open_ledger(house.state)
    append(house, 5)
    published(house)
    for statement in [*UNGUARDED, *change.split("; ")]:
        sql(url, statement)
    found = verified(house)
    assert found.verdict == "wrong"
    assert "triggers that keep the tables append-only were taken off" in str(found.findings)


def test_a_postgres_that_was_restarted_loses_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that was open meanwhile goes on; while it is away nothing is recorded."""
    with fresh_cluster() as made:
        monkeypatch.setenv("HALLMARK_LEDGER_URL", made.url)
        house.ledger = open_ledger(house.state)
        asked = house.ask()
        made.stop()
        with pytest.raises(Unavailable, match="nothing was recorded"):
            house.decide(asked, "owner")
        made.start()
        house.decide(asked, "owner")
        assert house.settle(asked).state == "passed"
        published(house)
        assert verified(house).anchored == 4


def test_a_gate_goes_its_way(house: House, url: str) -> None:
    house.ledger = open_ledger(house.state)
    asked = house.ask()
    house.decide(asked, "owner")
    assert house.settle(asked).state == "passed"
    assert gates.open_evidence(house.ledger) == []


HIDING = {
    "row-level security": [
        "ALTER TABLE hallmark_ledger ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE hallmark_ledger FORCE ROW LEVEL SECURITY",
        "CREATE POLICY hiding ON hallmark_ledger USING (seq <> 2 OR current_query() NOT LIKE '%%kind =%%')",
    ],
    "view": [
        "ALTER TABLE hallmark_ledger RENAME TO real",
        "CREATE VIEW hallmark_ledger AS SELECT * FROM real WHERE seq <> 2 OR current_query() NOT LIKE '%%kind =%%'",
    ],
    "index": ["CREATE INDEX hiding ON hallmark_ledger ((CASE WHEN seq = 2 THEN 'other' ELSE kind END))"],
    "type": ["ALTER TABLE hallmark_ledger ALTER COLUMN kind TYPE varchar(80)"],
    "heirs": ["CREATE TABLE heir () INHERITS (hallmark_ledger)"],
}


@pytest.mark.attack(rights="database", stopped="the ledger's table is a plain one, without policies and expressions")
@pytest.mark.parametrize("way", HIDING)
def test_what_could_hide_an_entry_from_a_query_shows(
    postgres: str, house: House, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    url = new_database(postgres)
    monkeypatch.setenv("HALLMARK_LEDGER_URL", url)
    ledger = open_ledger(house.state)
    for number in range(3):
        ledger.append("a", "x", {"n": number})
    assert quick_check.find_problems(ledger, house.governance, every_entry=True) == []
    for statement in HIDING[way]:
        sql(url, statement)
    found = quick_check.find_problems(ledger, house.governance, every_entry=True)
    assert any("hallmark_ledger" in text for text in found)
