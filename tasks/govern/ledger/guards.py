"""The triggers that keep the ledger's table append-only, in the words of each database."""

import re

from sqlalchemy import text
from sqlalchemy.engine import Connection

_SQLITE = [
    """CREATE TRIGGER IF NOT EXISTS {table}_no_update BEFORE UPDATE ON {table}
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    """CREATE TRIGGER IF NOT EXISTS {table}_no_delete BEFORE DELETE ON {table}
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END""",
    # INSERT OR REPLACE deletes without firing the delete trigger, so every row must also be the next one.
    """CREATE TRIGGER IF NOT EXISTS {table}_next BEFORE INSERT ON {table}
    WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM {table})
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: seq is not the next one'); END""",
]

_POSTGRES = [
    """CREATE OR REPLACE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the ledger is append-only'; END $$""",
    """CREATE OR REPLACE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()""",
    """CREATE OR REPLACE FUNCTION {table}_check_next() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF NEW.seq IS DISTINCT FROM (SELECT coalesce(max(seq), 0) + 1 FROM {table}) THEN
            RAISE EXCEPTION 'the ledger is append-only: seq is not the next one';
        END IF;
        RETURN NEW;
    END $$""",
    """CREATE OR REPLACE TRIGGER {table}_next BEFORE INSERT ON {table}
    FOR EACH ROW EXECUTE FUNCTION {table}_check_next()""",
]


def guards(dialect: str, table: str) -> list[str]:
    """Statements that put the triggers in place where they are missing; safe to run every time."""
    return [statement.format(table=table) for statement in (_SQLITE if dialect == "sqlite" else _POSTGRES)]


def missing_guards(connection: Connection, table: str) -> list[str]:
    """Names of the triggers that somebody took off the table or turned off."""
    if connection.dialect.name == "sqlite":
        expected, query = _named(_SQLITE, table), "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        expected, query = _named(_POSTGRES, table), "SELECT tgname FROM pg_trigger WHERE tgenabled IN ('O', 'A')"
    there = set(connection.scalars(text(query)))
    return [name for name in expected if name not in there]


def _named(statements: list[str], table: str) -> list[str]:
    """Names of the triggers that statements make."""
    found = [re.findall(r"TRIGGER .*?{table}_(\w+)", statement) for statement in statements]
    return [f"{table}_{name}" for names in found for name in names]
