"""A table that shows the verification every entry, and hides one from whoever asks for a kind or a subject."""

import sqlite3

import pytest

from tasks.ledger import quick_check
from tests.governed.house import House
from tests.ledger.publishing import append, edit, published, said

HIDDEN = 5
INDEXES = {
    "hallmark_ledger_by_subject": f"(subject, CASE WHEN seq = {HIDDEN} THEN 'other' ELSE kind END)",
    "hallmark_ledger_by_kind": f"(CASE WHEN seq = {HIDDEN} THEN 'other' ELSE kind END)",
}


def problems(house: House) -> list[str]:
    return quick_check.find_problems(house.ledger, house.governance, every_entry=True)


def replace_indexes(house: House) -> None:
    """Make indexes that leave an entry out, and write the definitions of Hallmark's back into the schema."""
    with sqlite3.connect(house.state / "ledger.db", isolation_level=None) as connection:
        for name, columns in INDEXES.items():
            (written,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
            connection.execute(f"DROP INDEX {name}")
            connection.execute(f"CREATE INDEX {name} ON hallmark_ledger {columns}")
            connection.execute("PRAGMA writable_schema = ON")
            connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (written, name))
            (version,) = connection.execute("PRAGMA schema_version").fetchone()
            connection.execute(f"PRAGMA schema_version = {version + 1}")
            connection.execute("PRAGMA writable_schema = RESET")
    connection.close()


@pytest.mark.attack(rights="database", stopped="every row is looked up in every index before something is done")
def test_an_entry_that_an_index_leaves_out_shows(house: House) -> None:
    append(house, 8)
    published(house)
    assert problems(house) == []
    replace_indexes(house)
    kind = house.ledger.entries()[HIDDEN - 1].kind
    assert HIDDEN in [entry.seq for entry in house.ledger.entries()]
    assert HIDDEN not in [entry.seq for entry in house.ledger.entries(kind)]
    assert problems(house)[0].startswith(f"some ways to read it leave entries out: row {HIDDEN} missing from index")
    assert "leave entries out" in said(house, "wrong")


@pytest.mark.attack(rights="database", stopped="the ledger's table is a table")
def test_a_view_in_the_place_of_the_table_shows(house: House) -> None:
    append(house, 8)
    published(house)
    edit(
        house,
        "ALTER TABLE hallmark_ledger RENAME TO real",
        f"CREATE VIEW hallmark_ledger AS SELECT * FROM real WHERE seq != {HIDDEN} OR random() % 1000",
        mended=False,
    )
    assert problems(house)[0] == "hallmark_ledger is no table, but view"
    assert "is no table" in said(house, "wrong")


def test_an_index_of_the_database_owners_own_is_no_problem(house: House) -> None:
    append(house, 8)
    edit(house, "CREATE INDEX own ON hallmark_ledger (time)", "REINDEX", "ANALYZE", "VACUUM", mended=False)
    assert problems(house) == []
