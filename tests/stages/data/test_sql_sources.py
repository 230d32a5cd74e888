"""Queries of SQLite files and of a real Postgres as sources: what is read, what is refused, and what errors say."""

import sqlite3
import traceback
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.core.errors import HallmarkError, InputError, Unavailable
from tasks.core.layout import Layout
from tasks.inquiry import source_row
from tasks.runs.requests.source_resolution import resolve_source
from tasks.sources import locations, source_places
from tasks.sources.resolved_sources import load_resolved
from tasks.sources.sources import Source
from tasks.stages.data.ingest import ingest
from tasks.stages.data.readers.content import open_content
from tasks.stages.data.readers.rows import Row
from tasks.supervise import grants
from tasks.supervise.open_files import open_files
from tests.governed.postgres import new_database, sql
from tests.stages.data.build import Run, params, source

ASKED = "SELECT id, text, label FROM letters ORDER BY id"
TABLE = "CREATE TABLE letters (id integer, text text, label text)"
ROWS = "INSERT INTO letters VALUES (2, 'my card is gone', 'lost'), (1, 'it''s Größe \"L\"', NULL), (3, 'hi', 'found')"


def sqlite_file(path: Path, *statements: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements or (TABLE, ROWS):
            connection.execute(statement)
        connection.commit()
    return path


def declare(location: str, query: str = ASKED, **fields: Any) -> Source:
    return source(location, "sql", query=query, **fields)


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    return sqlite_file(tmp_path / "letters.db")


@pytest.fixture
def cluster(postgres: str) -> str:
    return new_database(postgres)


@pytest.fixture
def postgres_location(cluster: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Location of a database with letters, of which user and password are variables."""
    sql(cluster, f"{TABLE}; {ROWS}")
    monkeypatch.setenv("CRM_USER", "owner")
    monkeypatch.setenv("CRM_PASSWORD", "s3cret")
    return cluster.replace("owner:s3cret", "${CRM_USER}:${CRM_PASSWORD}")


def lines(declared: Source, root: Path = Path("/")) -> list[str]:
    with open_content(declared, root) as file:
        return file.read().decode().splitlines()


def told(declared: Source, root: Path = Path("/"), kind: type[HallmarkError] = InputError) -> str:
    """The error of reading a source, of which no traceback has a value of a variable."""
    with pytest.raises(kind) as caught:
        resolve_source(declared, root)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


IN_ORDER = [
    '{"id":1,"text":"it\'s Größe \\"L\\"","label":null}',
    '{"id":2,"text":"my card is gone","label":"lost"}',
    '{"id":3,"text":"hi","label":"found"}',
]


def test_rows_of_sqlite_become_records(run: Run) -> None:
    sqlite_file(run.root / "letters.db")
    run.resolve(declare("sqlite:///letters.db"))
    result = ingest.run(params(), run.layout)
    assert (result.counts.rows, run.rules_of("ingest")) == (3, {1: "missing_target"})
    assert lines(declare("sqlite:///letters.db"), run.root) == IN_ORDER
    sqlite_file(run.root / "letters.db", "DELETE FROM letters WHERE id = 3")
    run.forget()
    with pytest.raises(InputError, match=r"has changed since the run was resolved.*a past period") as caught:
        ingest.run(params(), run.layout)
    assert "card" not in str(caught.value)


def test_rows_of_postgres_are_the_same_bytes(postgres_location: str) -> None:
    assert lines(declare(postgres_location)) == IN_ORDER


def test_a_row_is_shown_as_long_as_the_rows_are_the_same(run: Run, cluster: str, postgres_location: str) -> None:
    run.resolve(declare(postgres_location))
    (pinned,) = load_resolved(run.layout.sources_path).sources
    assert source_row.read_row(pinned, 2, run.layout) == Row(2, {"id": 2, "text": "my card is gone", "label": "lost"})
    sql(cluster, "DELETE FROM letters WHERE id = 1")
    with pytest.raises(InputError, match=r"row 2 of source src can no longer be shown.*has changed since the run"):
        source_row.read_row(pinned, 2, run.layout)


@pytest.mark.parametrize(
    ("location", "same"),
    [
        (
            "postgresql://${CRM_GONE:-a}:p/w@DB.example.org/crm?sslmode=require",
            "postgresql://b@db.example.org:5432/crm",
        ),
        ("sqlite:///letters.db", "./letters.db"),
    ],
)
def test_a_database_is_one_location_for_every_user(location: str, same: str, tmp_path: Path) -> None:
    assert locations.resolve_location(location, tmp_path) == locations.resolve_location(same, tmp_path)
    assert locations.resolve_location(location + "2", tmp_path) != locations.resolve_location(same + "2x", tmp_path)


NOT_ASKED: dict[str, tuple[str, str]] = {
    "no order": ("SELECT id, text FROM letters", "has no ORDER BY at its end. Databases return rows in any order"),
    "an order within": ("SELECT * FROM (SELECT * FROM letters ORDER BY id) AS t", "has no ORDER BY at its end"),
    "two statements": (f"{ASKED}; DROP TABLE letters", "is not one SELECT"),
    "a write": ("DELETE FROM letters", "is not one SELECT"),
    "a write in WITH": ("WITH d AS (DELETE FROM letters RETURNING *) SELECT * FROM d ORDER BY 1", "writes, locks"),
    "a new table": ("SELECT * INTO other FROM letters ORDER BY 1", "writes, locks"),
    "a lock": (f"{ASKED} FOR UPDATE", "writes, locks"),
    "another file": ("ATTACH 'other.db' AS other", "src: `query` "),
    "a pragma": ("PRAGMA table_info(letters)", "is not one SELECT"),
    "a copy": ("COPY letters TO PROGRAM 'id'", "is not one SELECT"),
    "a placeholder": ("SELECT * FROM letters WHERE id > :as_of ORDER BY id", "has a placeholder"),
    "an explanation": (f"EXPLAIN {ASKED}", "is not one SELECT"),
    "no SQL": ("SELECT FROM WHERE ((", "cannot be read as"),
    "nothing": (" -- nothing", "is not one SELECT"),
    "deep": (f"SELECT {'(' * 5_000}1{')' * 5_000} ORDER BY 1", "is nested too deep"),
}


@pytest.mark.attack(rights="approver", stopped="a source's query only reads")
@pytest.mark.parametrize("scheme", ["sqlite:///nowhere.db", "postgresql://nobody@127.0.0.1:1/nowhere"])
@pytest.mark.parametrize("wrong", NOT_ASKED)
def test_a_query_that_is_no_select_is_refused_before_the_database_is_asked(
    wrong: str, scheme: str, tmp_path: Path
) -> None:
    query, why = NOT_ASKED[wrong]
    (tmp_path / "nowhere.db").touch()
    assert why in told(declare(scheme, query), tmp_path)


REFUSED_BY_SQLITE: dict[str, tuple[str, dict[str, Any], str]] = {
    "a function of files": ("SELECT load_extension('x') AS text, 1 AS label ORDER BY 1", {}, "what a source may not"),
    "chance": ("SELECT random() AS text, 1 AS label ORDER BY 1", {}, "what a source may not"),
    "a pragma's table": ("SELECT * FROM pragma_database_list ORDER BY 1", {}, "what a source may not"),
    "no table": ("SELECT * FROM gone ORDER BY 1", {}, "refuses `query` (SQLITE_ERROR): no such table: gone"),
    "a column twice": ("SELECT text, text FROM letters ORDER BY 1", {}, "more than one column 'text'; name each"),
    "bytes": ("SELECT id, x'00' AS text FROM letters ORDER BY 1", {}, "row 1: column 'text' has a value of type bytes"),
    "no UTF-8": ("SELECT CAST(x'ff' AS text) AS text ORDER BY 1", {}, "a text is not UTF-8"),
    "many rows": (ASKED, {"max_rows": 2}, "has more rows than max_rows allows, 2"),
    "a long row": ("SELECT printf('%9000d', 1) AS text ORDER BY 1", {"max_row_bytes": 5_000}, "at row 1 than max_row"),
    "a huge value": ("SELECT hex(zeroblob(900000000)) AS text ORDER BY 1", {}, "longer at a row than max_row_bytes"),
    "many columns": (ASKED, {"max_columns": 2}, "has 3 columns or more"),
    "endless": (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS text FROM n ORDER BY 1",
        {"query_seconds": 1}, "takes longer than query_seconds allows, 1",
    ),
}  # fmt: skip


@pytest.mark.attack(rights="approver", stopped="a source's query only reads")
@pytest.mark.parametrize("wrong", REFUSED_BY_SQLITE)
def test_sqlite_is_asked_only_for_tables_of_its_file(wrong: str, letters: Path) -> None:
    query, fields, why = REFUSED_BY_SQLITE[wrong]
    before = sorted(letters.parent.iterdir())
    assert why in told(declare(f"sqlite:///{letters}", query, **fields))
    assert sorted(letters.parent.iterdir()) == before, "a file beside the database"


@pytest.mark.attack(rights="approver", stopped="nobody reads the ledger or the vault as a source")
@pytest.mark.parametrize("place", [".hallmark/ledger.db", "link.db", "/etc/passwd", ".git/x.db"])
def test_hidden_files_are_no_sources(place: str, tmp_path: Path) -> None:
    (tmp_path / ".hallmark").mkdir()
    sqlite_file(tmp_path / ".hallmark" / "ledger.db")
    (tmp_path / "link.db").symlink_to(".hallmark/ledger.db")
    assert "its location is or lies in something hidden" in told(declare(f"sqlite:///{place}"), tmp_path)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, however long this text may be" * 9)
    assert "is no SQLite database" in told(declare("sqlite:///text.db"), tmp_path)
    assert "there is no sqlite:///gone.db" in told(declare("sqlite:///gone.db"), tmp_path)
    assert "expected sqlite:///PATH" in told(declare("sqlite://"), tmp_path)
    assert "is a folder" in told(declare(f"sqlite:///{tmp_path}"), tmp_path)


def test_changes_beside_a_sqlite_file_are_read_and_nothing_is_left_there(letters: Path) -> None:
    with closing(sqlite3.connect(letters, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        assert lines(declare(f"sqlite:///{letters}")) == IN_ORDER
        writer.execute("DELETE FROM letters WHERE id > 1")
        assert lines(declare(f"sqlite:///{letters}")) == IN_ORDER[:1]
    assert [path.name for path in letters.parent.iterdir()] == ["letters.db"]
    assert lines(declare(f"sqlite:///{letters}")) == IN_ORDER[:1]
    assert [path.name for path in letters.parent.iterdir()] == ["letters.db"]


def test_a_database_behind_a_link_is_read_with_its_changes_or_not_at_all(letters: Path) -> None:
    link, folder = letters.with_name("link.db"), letters.with_name("folder")
    link.symlink_to(letters)
    folder.symlink_to(letters.parent)
    with closing(sqlite3.connect(letters, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("DELETE FROM letters WHERE id > 1")
        declared = declare(f"sqlite:///{folder}/letters.db")
        assert lines(declared) == IN_ORDER[:1] and f"{folder}/letters.db-wal" in source_places.find_files(declared)
        assert "give the path of that file" in told(declare(f"sqlite:///{link}"))


WRITTEN = {
    "a password": {"location": "postgresql://a:b@host/db"},
    "a password as a default": {"location": "postgresql://a:${PW:-b}@host/db"},
    "no query": {"query": None},
    "a query of a file": {"kind": "csv"},
}


@pytest.mark.parametrize("wrong", WRITTEN)
def test_a_source_says_its_query_and_no_password(wrong: str) -> None:
    named = {"location": "postgresql://${A:-b}:${PW}@host/db", "query": ASKED, "kind": "sql"}
    source(**named)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match=r"has a password; put it into|`query` belongs to kind sql"):
        source(**(named | WRITTEN[wrong]))  # type: ignore[arg-type]


def test_other_kinds_are_written_as_before() -> None:
    assert "query" not in source("data.csv").model_dump(mode="json")


VALUES = """SELECT 1 AS id, DATE '2026-02-03' AS day, TIMESTAMPTZ '2026-02-03 04:05:06+02' AS at, 12.50::numeric AS sum,
 '{"b": [1, null], "a": 1.5}'::jsonb AS doc, '{"c": "\\ud800"}'::json AS half, ARRAY['x', NULL, 'ü'] AS tags,
 true AS yes, NULL::text AS none, 'NaN'::float8 AS nan, '-Infinity'::float8 AS low, 0.1::float8 AS share,
 '9b2d3c4e-0000-4000-8000-000000000001'::uuid AS uuid, '10.0.0.1'::inet AS host, 9007199254740993 AS big,
 TIME '01:02' AS clock, '100 %s :x ?'::text AS marks, ARRAY[[1,2],[3,4]] AS grid,
 DATE '20000-01-01' AS far, 'infinity'::timestamptz AS never ORDER BY 1"""


def test_values_of_postgres_have_one_form(postgres_location: str) -> None:
    assert lines(declare(postgres_location, VALUES)) == [
        '{"id":1,"day":"2026-02-03","at":"2026-02-03T02:05:06+00:00","sum":"12.50",'
        '"doc":{"a":1.5,"b":[1,null]},"half":{"c":"\\ud800"},"tags":["x",null,"\\u00fc"],'
        '"yes":true,"none":null,"nan":"NaN","low":"-Infinity","share":0.1,'
        '"uuid":"9b2d3c4e-0000-4000-8000-000000000001","host":"10.0.0.1","big":9007199254740993,'
        '"clock":"01:02:00","marks":"100 %s :x ?","grid":[[1,2],[3,4]],"far":"20000-01-01","never":"infinity"}'
    ]


REFUSED_BY_POSTGRES: dict[str, tuple[str, dict[str, Any], str]] = {
    "no table": ("SELECT * FROM gone ORDER BY 1", {}, '(SQLSTATE 42P01): relation "gone" does not exist'),
    "no column": ("SELECT gone FROM letters ORDER BY 1", {}, '(SQLSTATE 42703): column "gone" does not exist'),
    "a value": ("SELECT text::integer FROM letters ORDER BY 1", {}, "(SQLSTATE 22P02)"),
    "bytes": ("SELECT '\\x00'::bytea AS text ORDER BY 1", {}, "column 'text' has a value of type bytes"),
    "an interval": ("SELECT INTERVAL '1 day' AS text ORDER BY 1", {}, "column 'text' has a value of type timedelta"),
    "a column twice": ("SELECT text, text FROM letters ORDER BY 1", {}, "more than one column 'text'"),
    "a sequence": ("SELECT setval('numbers', 3) AS text ORDER BY 1", {}, "`query` writes"),
    "deep JSON": (
        "SELECT 1 AS id, (repeat('[', 900) || repeat(']', 900))::json AS text ORDER BY 1",
        {},
        "nested too deep",
    ),
    "more rows": ("SELECT generate_series(1, 3000) AS text ORDER BY random()", {"max_rows": 2_999}, "max_rows"),
    "slow": (
        "SELECT 'a' AS text FROM pg_sleep(30) ORDER BY 1",
        {"query_seconds": 1},
        "takes longer than query_seconds allows",
    ),
    "a file": ("SELECT pg_read_file('gone') AS text ORDER BY 1", {}, "(SQLSTATE 58P01)"),
}


@pytest.mark.attack(rights="approver", stopped="a source's query only reads")
def test_postgres_errors_are_told_without_rows_and_passwords(cluster: str, postgres_location: str) -> None:
    sql(cluster, "CREATE SEQUENCE numbers")
    for query, fields, why in REFUSED_BY_POSTGRES.values():
        error = told(declare(postgres_location, query, **fields), kind=HallmarkError)  # type: ignore[type-abstract]
        assert why in error and "card" not in error, query


def test_a_connection_that_fails_is_told(postgres_location: str, cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = cluster.rpartition(":")[2].partition("/")[0]
    for location, kind, why in (
        (postgres_location.replace(port, "1"), Unavailable, "cannot be reached (ConnectionRefusedError)"),
        (postgres_location.replace("127.0.0.1", "gone.invalid") + "?sslmode=disable", Unavailable, "cannot be reached"),
        (postgres_location.replace("127.0.0.1", "db.example.org"), InputError, "says whether it is encrypted"),
        (postgres_location + "?sslmode=require", InputError, "does not speak TLS"),
        (postgres_location + "?sslmode=maybe", InputError, "sslmode: expected one of"),
        (postgres_location + "?password=x", InputError, "unknown option password"),
        (postgres_location + "?unix_sock=/tmp/x", InputError, "a host and no socket"),
        (postgres_location + "_gone", InputError, "no database of this name"),
        (postgres_location.replace("postgresql", "mysql"), InputError, "expected postgresql://"),
        ("${CRM_PASSWORD}", InputError, "${CRM_PASSWORD}: expected postgresql://"),
        ("postgresql://a@127.0.0.1/db?sslmode=${CRM_PASSWORD}", InputError, "a value of its variables gives no"),
        ("postgresql://${CRM_GONE}@127.0.0.1/db", InputError, "environment variable CRM_GONE is not set"),
    ):
        assert why in told(declare(location), kind=kind), location
    monkeypatch.setenv("CRM_PASSWORD", "wr0ng/s3cret@x")
    assert "refuses this user or password" in told(declare(postgres_location))


def test_a_password_is_taken_as_it_is(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sql(cluster, 'DROP ROLE IF EXISTS "cl%rk:@"; CREATE ROLE "cl%rk:@" LOGIN PASSWORD \'a@/b:%40 c\'')
    monkeypatch.setenv("CRM_USER", "cl%rk:@")
    monkeypatch.setenv("CRM_PASSWORD", "a@/b:%40 c")
    location = cluster.replace("owner:s3cret", "${CRM_USER}:${CRM_PASSWORD}")
    assert lines(declare(location, "SELECT current_user AS text ORDER BY 1")) == ['{"text":"cl%rk:@"}']


@pytest.mark.attack(rights="approver", stopped="nobody reads the ledger or the vault as a source")
def test_databases_of_hallmark_are_no_sources(cluster: str, postgres_location: str) -> None:
    sql(cluster, "CREATE SCHEMA other; CREATE TABLE other.hallmark_vault (token text)")
    assert "is a database of Hallmark itself" in told(declare(postgres_location))


def test_a_server_that_ends_the_connection_is_told(cluster: str, postgres_location: str) -> None:
    asked = "SELECT generate_series(1, 100000) AS text ORDER BY 1"
    with open_content(declare(postgres_location, asked), Path("/")) as file:
        file.read(10)
        sql(cluster, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hallmark'")
        with pytest.raises(Unavailable, match=r"cannot be read now|ended the connection after row"):
            file.read()


def test_rows_are_of_one_snapshot(cluster: str, postgres_location: str) -> None:
    asked = "SELECT n.i AS id, text, label FROM letters, generate_series(1, 2000) AS n(i) ORDER BY 1, 2"
    with open_content(declare(postgres_location, asked), Path("/")) as file:
        file.read(1)
        sql(cluster, "DELETE FROM letters")
        assert file.read().count(b"\n") == 6_000


def test_the_stage_gets_what_its_databases_need(run: Run, postgres_location: str, letters: Path) -> None:
    port = int(postgres_location.rpartition(":")[2].partition("/")[0])
    given = {"CRM_USER": "owner", "CRM_PASSWORD": "s3cret", "OTHER_PASSWORD": "other"}
    grant = grants.grant_of_stage("ingest")
    run.resolve(declare(postgres_location))
    assert grant.needs_network(run.layout, given) and list(grant.named_ports(run.layout)) == [port]
    assert grants.stage_variables("ingest", run.layout, given, True).keys() == {"CRM_USER", "CRM_PASSWORD"}
    run.resolve(declare(f"sqlite:///{letters}"))
    assert not grant.needs_network(run.layout, given)
    with open_files() as opened:
        assert letters in grant.paths_outside_run(Layout(run.root), opened)
