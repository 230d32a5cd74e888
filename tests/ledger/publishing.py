"""Entries appended, heads published, and a ledger changed behind its back."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from tasks.ledger import ledger_verification as ledger_check
from tasks.ledger.entry_verification import Report
from tasks.ledger.heads import publication
from tests.governed.house import House
from tests.ledger_tampering import mend, unguard

UNTYPED = "ALTER TABLE hallmark_ledger RENAME TO old", "CREATE TABLE hallmark_ledger AS SELECT * FROM old"
"""Statements that make the table one which takes anything."""


def append(house: House, count: int) -> None:
    with house.ledger.transaction():
        for number in range(count):
            house.ledger.append("a.b", f"subject {number}", {"n": number, "who": "ä"})


def published(house: House) -> publication.Publication:
    return publication.publish(house.ledger, house.governance)


def verified(house: House) -> Report:
    return ledger_check.verify_ledger(house.ledger, house.governance)


def said(house: House, verdict: str) -> str:
    return "\n".join(finding.text for finding in verified(house).findings if finding.verdict == verdict)


def rewrite(export: Path, change: Callable[[list[bytes]], object]) -> None:
    """Change the lines of an export."""
    lines = export.read_bytes().splitlines()
    change(lines)
    export.write_bytes(b"".join(line + b"\n" for line in lines))


def edit(house: House, *statements: str, mended: bool = True) -> None:
    """Change the database; `mended`: with the tree beside the entries made theirs again."""
    with sqlite3.connect(house.state / "ledger.db") as connection:
        unguard(connection)
        for statement in statements:
            connection.execute(statement)
        if mended:
            mend(connection)
    connection.close()
