"""Diagnostics of the databases: whether each schema is the one that this version of Hallmark uses."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine

from infra.doctor.finding import Finding
from tasks.core.databases import database, migrations
from tasks.core.databases.addresses import LEDGER_URL_VARIABLE, VAULT_URL_VARIABLE
from tasks.core.databases.migrations import Schema
from tasks.core.version import UNKNOWN_VERSION
from tasks.inquiry.lineage import tables as lineage
from tasks.ledger import ledger
from tasks.ledger import tables as ledger_tables
from tasks.sources import vault


class Database(NamedTuple):
    schema: Schema
    file: str
    """Path of the database file, relative to .hallmark."""
    variable: str = ""
    """Environment variable with the URL of a Postgres database to use instead of the file; empty if there is no such
    variable."""


DATABASES = (
    Database(ledger_tables.SCHEMA, ledger.DATABASE_FILE, LEDGER_URL_VARIABLE),
    Database(vault.SCHEMA, vault.VAULT_FILE, VAULT_URL_VARIABLE),
    Database(lineage.SCHEMA, lineage.DATABASE_FILE),
)


def check_schemas(root: Path) -> Iterator[Finding]:
    for each in DATABASES:
        yield _finding(each, root / ".hallmark")


def _finding(each: Database, state: Path) -> Finding:
    name, newest, path = each.schema.name, each.schema.version, state / each.file
    configured = os.environ.get(each.variable) if each.variable else None
    if not configured and not path.exists():
        return Finding(f"{name}: none yet")
    table = next(iter(each.schema.tables.tables))
    url = database.parse_postgres_url(configured, each.variable) if configured else None
    engine = database.postgres_engine(url, table, lock=0) if url else database.sqlite_engine(path)
    version, by = _version(engine, each.schema)
    if version is None:
        return Finding(f"{name}: none yet")
    if version == newest:
        return Finding(f"{name}: schema {newest}, written by Hallmark {by}")
    if version > newest:
        return Finding(
            f"{name}: schema {version}, of a newer Hallmark, {by}", "install the version that made it, or a later one"
        )
    return Finding(
        f"{name}: schema {version}, of an earlier Hallmark, {by}; the next command that writes brings it to {newest}",
        "hallmark backup FILE, then hallmark init",
    )


def _version(engine: Engine, schema: Schema) -> tuple[int | None, str]:
    with database.translate_database_errors(f"the {schema.name}"), closing(engine.connect()) as connection:
        reads = connection.execution_options(takes_turn=False)
        return migrations.read_schema_version(reads, schema), ", ".join(
            migrations.read_writer_versions(reads, schema)
        ) or UNKNOWN_VERSION
