"""Databases of an earlier version are brought forward step by step, and those of a newer one are refused in words."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, Table, Text, text
from sqlalchemy.engine import Connection

from tasks.core.databases import database, migrations
from tasks.core.databases.migrations import Schema
from tasks.core.errors import Refused, Unavailable
from tasks.core.version import UNKNOWN_VERSION, VERSION
from tests.governed.postgres import sql

ROOT = Path(__file__).parents[2]
METADATA = MetaData()
Table("hallmark_things", METADATA, Column("name", Text), Column("size", Integer))


def first(connection: Connection) -> None:
    connection.execute(text("CREATE TABLE hallmark_things (name TEXT)"))
    connection.execute(text("INSERT INTO hallmark_things VALUES ('a'), ('b')"))


def to_second(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE hallmark_things ADD COLUMN size INTEGER"))
    connection.execute(text("UPDATE hallmark_things SET size = 7"))


def to_third(connection: Connection) -> None:
    connection.execute(text("UPDATE hallmark_things SET size = size + 1"))


def interrupted(connection: Connection) -> None:
    to_third(connection)
    raise KeyboardInterrupt


FIRST = Schema("things", METADATA, first)
SECOND = Schema("things", METADATA, METADATA.create_all, (to_second,))
THIRD = Schema("things", METADATA, METADATA.create_all, (to_second, to_third))
BROKEN = Schema("things", METADATA, METADATA.create_all, (to_second, interrupted))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    if request.param == "sqlite":
        yield database.sqlite_engine(tmp_path / "things.db")
        return
    url = request.getfixturevalue("cluster")
    sql(url, "DROP TABLE IF EXISTS hallmark_things, hallmark_things_schema, hallmark_things_writers")
    yield database.postgres_engine(database.parse_postgres_url(url, "URL"), "hallmark_things", 7)


def things(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text("SELECT * FROM hallmark_things ORDER BY name"))]


def test_an_earlier_one_is_brought_forward_once(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    migrations.migrate(engine, FIRST)
    migrations.migrate(engine, FIRST)
    assert things(engine) == [("a",), ("b",)] and capsys.readouterr().err == ""
    migrations.migrate(engine, THIRD)
    told = capsys.readouterr().err
    assert things(engine) == [("a", 8), ("b", 8)] and "is brought from things schema 1 to 3; " in told
    assert f"was made by an earlier Hallmark, {VERSION}; " in told
    assert "s3cret" not in told
    migrations.migrate(engine, THIRD)
    assert things(engine) == [("a", 8), ("b", 8)] and migrations.is_schema_current(engine, THIRD)
    assert capsys.readouterr().err == ""


def test_a_new_one_is_made_as_the_newest(engine: Engine) -> None:
    migrations.migrate(engine, THIRD)
    assert things(engine) == [] and migrations.is_schema_current(engine, THIRD)


def test_one_without_a_version_is_of_the_first(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    with engine.begin() as connection:
        first(connection)
    assert migrations.is_schema_current(engine, FIRST)
    migrations.migrate(engine, SECOND)
    assert things(engine) == [("a", 7), ("b", 7)]
    assert f"was made by an earlier Hallmark, {UNKNOWN_VERSION}; " in capsys.readouterr().err
    with engine.connect() as connection:
        assert migrations.read_writer_versions(connection, SECOND) == [VERSION], "from now on it names who wrote it"


def test_a_newer_one_is_refused_in_words_and_left_as_it_is(engine: Engine) -> None:
    migrations.migrate(engine, THIRD)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO hallmark_things_writers VALUES ('0.10.0')"))
    words = rf"made by a newer Hallmark, 0\.10\.0 \(things schema 3, this version, {VERSION}, knows 2\); install"
    with pytest.raises(Unavailable, match=words):
        migrations.migrate(engine, SECOND)
    assert migrations.is_schema_current(engine, THIRD)


@pytest.mark.parametrize(
    ("held", "told"),
    [(["-5"], "-5"), (["0"], "0"), (["'x'"], "'x'"), (["1.5"], "1.5"), (["1", "2"], "1, 2"), ([], "nothing")],
)
def test_a_version_that_no_hallmark_wrote_is_refused_in_words_and_nothing_is_copied(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], held: list[str], told: str
) -> None:
    engine = database.sqlite_engine(tmp_path / "things.db")
    migrations.migrate(engine, FIRST)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM hallmark_things_schema"))
        for value in held:
            connection.execute(text(f"INSERT INTO hallmark_things_schema VALUES ({value})"))
    for schema in (FIRST, THIRD):
        with pytest.raises(Refused, match=rf"hallmark_things_schema holds {told}, expected one version from 1 on"):
            migrations.migrate(engine, schema)
    assert things(engine) == [("a",), ("b",)] and capsys.readouterr().err == ""
    assert not list(tmp_path.glob("*.schema*"))


def test_an_interrupted_step_has_not_happened_and_is_taken_next_time(engine: Engine) -> None:
    migrations.migrate(engine, FIRST)
    with pytest.raises(KeyboardInterrupt):
        migrations.migrate(engine, BROKEN)
    assert things(engine) == [("a", 7), ("b", 7)] and migrations.is_schema_current(engine, SECOND)
    migrations.migrate(engine, THIRD)
    assert things(engine) == [("a", 8), ("b", 8)]


def test_a_copy_of_the_file_is_kept_before_the_first_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = database.sqlite_engine(tmp_path / "things.db")
    migrations.migrate(engine, FIRST)
    migrations.migrate(engine, THIRD)
    kept = tmp_path / "things.db.schema1"
    assert str(kept) in capsys.readouterr().err
    assert things(database.sqlite_engine(kept)) == [("a",), ("b",)]


KILLED = """
import os, sys
from pathlib import Path
from tasks.core.databases import database, migrations
from tests.core import test_migrations as of

def killed(connection):
    of.to_third(connection)
    os._exit(9)

schema = of.Schema("things", of.METADATA, of.first, (of.to_second, killed))
migrations.migrate(database.sqlite_engine(Path(sys.argv[1])), schema)
"""


def test_a_process_killed_in_the_middle_of_a_step_leaves_it_undone(tmp_path: Path) -> None:
    engine = database.sqlite_engine(tmp_path / "things.db")
    migrations.migrate(engine, FIRST)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "things.db")], cwd=ROOT)
    assert killed.returncode == 9
    assert things(engine) == [("a", 7), ("b", 7)] and migrations.is_schema_current(engine, SECOND)
    migrations.migrate(engine, THIRD)
    assert things(engine) == [("a", 8), ("b", 8)]
