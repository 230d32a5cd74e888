"""Triggers that keep the ledger's tables append-only, for SQLite and Postgres."""

import re

from sqlalchemy import text
from sqlalchemy.engine import Connection

from tasks.ledger.schema import DOCUMENTS, ENTRIES

_SQLITE = [
    """CREATE TRIGGER IF NOT EXISTS {table}_no_update BEFORE UPDATE ON {table}
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    """CREATE TRIGGER IF NOT EXISTS {table}_no_delete BEFORE DELETE ON {table}
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
]
# INSERT OR REPLACE deletes a row without firing the delete trigger, so every new row must also have the next number.
_SQLITE_ENTRIES = """CREATE TRIGGER IF NOT EXISTS {table}_next BEFORE INSERT ON {table}
    WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM {table})
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: seq is not the next one'); END"""
_SQLITE_ATTACHED = """CREATE TRIGGER IF NOT EXISTS {table}_next BEFORE INSERT ON {table}
    WHEN NEW.seq IS NOT (SELECT max(seq) FROM {entries}) OR NEW.seq IN (SELECT seq FROM {table})
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: seq is not that of the last entry'); END"""

_POSTGRES = [
    """CREATE OR REPLACE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$""",
    """CREATE OR REPLACE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()""",
]
_POSTGRES_NEXT = """CREATE OR REPLACE TRIGGER {table}_next BEFORE INSERT ON {table}
    FOR EACH ROW EXECUTE FUNCTION {table}_check_next()"""
_POSTGRES_ENTRIES = """CREATE OR REPLACE FUNCTION {table}_check_next() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF NEW.seq IS DISTINCT FROM (SELECT coalesce(max(seq), 0) + 1 FROM {table}) THEN
            RAISE EXCEPTION 'the ledger is append-only: seq is not the next one';
        END IF;
        RETURN NEW;
    END $$"""
_POSTGRES_ATTACHED = """CREATE OR REPLACE FUNCTION {table}_check_next() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF NEW.seq IS DISTINCT FROM (SELECT max(seq) FROM {entries}) THEN
            RAISE EXCEPTION 'the ledger is append-only: seq is not that of the last entry';
        END IF;
        RETURN NEW;
    END $$"""

_GUARDS = {
    "sqlite": {ENTRIES.name: [*_SQLITE, _SQLITE_ENTRIES], DOCUMENTS.name: [*_SQLITE, _SQLITE_ATTACHED]},
    "postgresql": {
        ENTRIES.name: [*_POSTGRES, _POSTGRES_ENTRIES, _POSTGRES_NEXT],
        DOCUMENTS.name: [*_POSTGRES, _POSTGRES_ATTACHED, _POSTGRES_NEXT],
    },
}

_POSTGRES_TRIGGERS = r"""SELECT tgname, prosrc FROM pg_trigger
    JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_proc ON pg_proc.oid = tgfoid
    WHERE NOT tgisinternal AND relname LIKE 'hallmark\_%' AND pg_table_is_visible(pg_class.oid)
    UNION SELECT rulename, '' FROM pg_rules WHERE tablename LIKE 'hallmark\_%' AND schemaname = current_schema()"""


def guard_statements(dialect: str) -> list[str]:
    """Return the SQL statements that create the triggers. Executing them again has no effect."""
    return [
        statement.format(table=table, entries=ENTRIES.name)
        for table, statements in _GUARDS[dialect].items()
        for statement in statements
    ]


def missing_guards(connection: Connection) -> list[str]:
    if connection.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = "SELECT tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A')"
    there = set(connection.scalars(text(query)))
    return [name for name in _own_triggers(connection.dialect.name) if name not in there]


def foreign_triggers(connection: Connection) -> list[str]:
    """Return the names of triggers and rules that Hallmark did not create and that could change or drop written rows.

    A trigger with the name of one of Hallmark's triggers but another definition is included.
    """
    dialect = connection.dialect.name
    if dialect == "sqlite":
        rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
    else:
        rows = connection.execute(text(_POSTGRES_TRIGGERS))
    own = _own_triggers(dialect)
    return sorted(name for name, written in rows if name not in own or _normalised(own[name]) != _normalised(written))


def _own_triggers(dialect: str) -> dict[str, str]:
    statements = guard_statements(dialect)
    if dialect == "sqlite":
        created = (each.replace("IF NOT EXISTS ", "") for each in statements)
        return {each.split()[2]: each for each in created}
    bodies = dict(re.findall(r"FUNCTION (\w+)\(\) RETURNS trigger .*?\$\$(.*?)\$\$", "\n".join(statements), re.DOTALL))
    triggers = re.findall(r"TRIGGER (\w+) BEFORE .*?EXECUTE FUNCTION (\w+)", "\n".join(statements), re.DOTALL)
    return {name: bodies[function] for name, function in triggers}


def _normalised(statement: str) -> str:
    return " ".join(statement.split())
