"""Check that the ledger's entries are the same by whichever index, view or policy a query reads them.

The entries are verified in the order of their numbers, but most readers ask for a kind or a subject, through an index.
Whoever owns the tables can make an index that leaves entries out and then write its original definition back into the
schema, or replace the table by a view, or enable row-level security. A reader then misses entries that the
verification sees.
"""

from collections.abc import Iterator

from sqlalchemy import text
from sqlalchemy.engine import Connection

from tasks.ledger.schema import ENTRIES

_SQLITE_KIND = text("SELECT type FROM pragma_table_list WHERE schema = 'main' AND name = :name")
_SQLITE_CHECK = text(f"PRAGMA integrity_check('{ENTRIES.name}')")
_POSTGRES_TABLE = text(
    """SELECT relkind::text, relrowsecurity, EXISTS (SELECT FROM pg_inherits WHERE inhparent = pg_class.oid)
    FROM pg_class WHERE oid = to_regclass(:name)"""
)
_POSTGRES_COLUMNS = text(
    """SELECT attname::text, format_type(atttypid, atttypmod), attgenerated::text FROM pg_attribute
    WHERE attrelid = to_regclass(:name) AND attnum > 0 AND NOT attisdropped"""
)
_POSTGRES_INDEXES = text(
    """SELECT indexrelid::regclass::text FROM pg_index
    WHERE indrelid = to_regclass(:name) AND (indexprs IS NOT NULL OR indpred IS NOT NULL) ORDER BY 1"""
)


def access_problems(connection: Connection) -> list[str]:
    """Return the reasons why a query could miss entries, as messages.

    In SQLite, every row is looked up in every index, which takes 0.7 s for 100,000 entries.
    """
    find = _sqlite_problems if connection.dialect.name == "sqlite" else _postgres_problems
    return list(find(connection))


def _sqlite_problems(connection: Connection) -> Iterator[str]:
    kinds = list(connection.scalars(_SQLITE_KIND, {"name": ENTRIES.name}))
    if kinds != ["table"]:
        yield f"{ENTRIES.name} is no table, but {' and '.join(kinds) or 'missing'}"
        return
    differences = [row for row in connection.scalars(_SQLITE_CHECK) if row != "ok"]
    if differences:
        more = f", and {len(differences) - 1:,} more like that" if len(differences) > 1 else ""
        yield f"some ways to read it leave entries out: {differences[0]}{more}"


def _postgres_problems(connection: Connection) -> Iterator[str]:
    name = {"name": ENTRIES.name}
    for relation, row_security, inherited in connection.execute(_POSTGRES_TABLE, name):
        if relation != "r" or inherited:
            yield f"{ENTRIES.name} is no plain table, so what is read in it may depend on the query"
        if row_security:
            yield f"row-level security is enabled on {ENTRIES.name}, so what is read in it may depend on the query"
    expected = {"seq": ("bigint", "")} | dict.fromkeys(("time", "kind", "subject", "body"), ("text", ""))
    columns = {column: (kind, generated) for column, kind, generated in connection.execute(_POSTGRES_COLUMNS, name)}
    if wrong := sorted(each for each in expected if columns.get(each) != expected[each]):
        yield f"columns of {ENTRIES.name} have another type than Hallmark gave them: {', '.join(wrong)}"
    if indexes := list(connection.scalars(_POSTGRES_INDEXES, name)):
        yield f"indexes of {ENTRIES.name} hold something else than its columns: {', '.join(map(ascii, indexes))}"
