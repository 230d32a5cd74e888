"""Check of a source's query before a database is asked.

A database itself refuses what would write (`sqlite_rows`, `postgres_rows`). This check says what a query must be, and
requires an order, without which the same rows have no digest.
"""

from tasks.core.errors import InputError
from tasks.sources.sources import Source


def require_one_select(source: Source, dialect: str) -> str:
    """Return a source's query without a semicolon at its end.

    Args:
        source: Source of kind `sql`.
        dialect: Name of the SQL dialect, `postgres` or `sqlite`.

    Raises:
        InputError: The query is no single SELECT that ends with ORDER BY.
    """
    import logging

    import sqlglot
    from sqlglot import exp

    where, query = f"source {source.id}: `query`", source.query or ""
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it logs the text of a statement that it does not know
    try:
        statements = [each for each in sqlglot.parse(query, dialect=dialect) if each is not None]
        found = {type(node) for statement in statements for node in statement.walk()}
    except sqlglot.errors.SqlglotError as error:
        place = error.errors[0] if isinstance(error, sqlglot.errors.ParseError) and error.errors else {}
        line = f" (line {place['line']}, column {place['col']})" if place.get("line") else ""
        raise InputError(f"{where} cannot be read as {dialect} SQL{line}; correct it, or name a view in it") from None
    except RecursionError:
        raise InputError(f"{where} is nested too deep; write parts of it as WITH, or as a view") from None
    writes = (exp.DML, exp.DDL, exp.Command, exp.Into, exp.Lock)
    if len(statements) != 1 or not isinstance(statements[0], exp.Select | exp.SetOperation):
        raise InputError(
            f"{where} is not one SELECT; expected SELECT or WITH … SELECT and nothing after it. A source only reads"
        )
    if any(issubclass(kind, writes) for kind in found):
        raise InputError(f"{where} writes, locks or asks more than a SELECT may; a source only reads")
    if found & {exp.Placeholder, exp.Parameter}:
        raise InputError(f"{where} has a placeholder, and nobody fills it in; write the value, such as a date")
    if not statements[0].args.get("order"):
        raise InputError(
            f"{where} has no ORDER BY at its end. Databases return rows in any order, and the digest of a run's data "
            "is of the rows in one order; order by columns that are unique together, such as `ORDER BY id`"
        )
    return query.rstrip().rstrip(";")
