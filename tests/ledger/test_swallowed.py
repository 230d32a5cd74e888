"""A database that swallows or changes what is written: nothing is said to be recorded, and its triggers are named."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tasks.core.errors import Refused
from tasks.ledger.ledger import open_ledger
from tasks.ledger.open_questions import ASKED
from tests.governed.house import House
from tests.governed.postgres import new_database, sql
from tests.ledger.publishing import append, published, said

SWALLOWS = "CREATE TRIGGER planted BEFORE {} BEGIN SELECT RAISE(IGNORE); END"
ADDS = """CREATE TRIGGER planted AFTER INSERT ON hallmark_ledger WHEN NEW.kind <> 'more' BEGIN
    INSERT INTO hallmark_ledger VALUES (NEW.seq + 1, NEW.time, 'more', 'x', '{}'); END"""
STOPPED = pytest.mark.attack(rights="database", stopped="each entry is read back before it is said to be recorded")


def plant(house: House, *statements: str) -> None:
    with closing(sqlite3.connect(house.state / "ledger.db")) as database, database:
        for statement in statements:
            database.execute(statement)


@STOPPED
@pytest.mark.parametrize(
    "statement",
    [
        *(
            SWALLOWS.format(write)
            for write in (
                "INSERT ON hallmark_ledger WHEN NEW.kind = 'gate.asked'", "UPDATE ON hallmark_ledger_tree",
                "INSERT ON hallmark_ledger_attached", "INSERT ON hallmark_ledger_open",
            )
        ),
        ADDS,
    ],
    ids=["the entry", "the tree", "the document", "the open question", "one entry more"],
)  # fmt: skip
def test_what_the_database_does_not_store_is_not_said_to_be_recorded(kept: House, statement: str) -> None:
    plant(kept, statement)
    before = kept.ledger.last_seq()
    with pytest.raises(Refused, match="did not store what was written, so nothing was recorded: a trigger or rule"):
        kept.ledger.append(ASKED, "run-1", {"gate": "data"}, document=b"evidence")
    assert kept.ledger.last_seq() == before and not kept.ledger.open_questions()
    assert "triggers or rules that are not Hallmark's change what is written to the database: 'planted'" in said(
        kept, "wrong"
    )


@STOPPED
def test_a_trigger_of_hallmarks_name_that_does_something_else_is_named(kept: House) -> None:
    append(kept, 1)
    published(kept)
    assert not said(kept, "wrong")
    name = "hallmark_ledger_no_update"
    plant(kept, f"DROP TRIGGER {name}", SWALLOWS.replace("planted", name).format("INSERT ON hallmark_ledger"))
    assert f"'{name}'" in said(kept, "wrong")


@STOPPED
@pytest.mark.slow
def test_triggers_and_rules_of_postgres(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = new_database(postgres)
    monkeypatch.setenv("HALLMARK_LEDGER_URL", url)
    ledger = open_ledger(tmp_path)
    ledger.append("a", "x", {}, document=b"evidence")
    assert not ledger.foreign_triggers() and not ledger.missing_guards()
    sql(url, "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")
    sql(url, "CREATE TRIGGER planted BEFORE INSERT ON hallmark_ledger FOR EACH ROW EXECUTE FUNCTION swallow()")
    sql(url, "CREATE RULE ruled AS ON UPDATE TO hallmark_ledger_tree DO INSTEAD NOTHING")
    with pytest.raises(Refused, match="did not store what was written"):
        ledger.append("b", "x", {})
    assert ledger.last_seq() == 1 and ledger.foreign_triggers() == ["planted", "ruled"]
    weaker = "CREATE OR REPLACE FUNCTION hallmark_ledger_check_next() RETURNS trigger LANGUAGE plpgsql AS"
    sql(url, f"{weaker} $$ BEGIN RETURN NEW; END $$")
    assert ledger.foreign_triggers() == ["hallmark_ledger_next", "planted", "ruled"]
