"""Bytes of removed rows leave SQLite's log, or whoever removes them is told that they are still there."""

from pathlib import Path

import pytest
from sqlalchemy import text

from tasks.core.databases import database, secure_removal
from tasks.core.errors import Unavailable


def test_a_log_that_others_read_is_not_called_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secure_removal, "WAIT_SECONDS", 0.3)
    engine = database.sqlite_engine(tmp_path / "rows.db")
    log = tmp_path / "rows.db-wal"
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE rows (name TEXT)"))
    with engine.connect().execution_options(takes_turn=False) as reader:
        reader.execute(text("SELECT * FROM rows")).fetchall()
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO rows VALUES ('Ada Lovelace')"))
        with pytest.raises(Unavailable, match="removed rows are still in its log; wait for their end"):
            secure_removal.empty_log(engine)
        assert b"Ada Lovelace" in log.read_bytes()
    secure_removal.empty_log(engine)
    assert not log.exists() or not log.read_bytes()
