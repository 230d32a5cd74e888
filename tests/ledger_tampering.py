"""Changes to a ledger by an attacker who owns its database, drops its triggers and adapts the tree."""

import json
import random
import sqlite3
from pathlib import Path

from tasks.ledger.entry import Row
from tasks.ledger.tree.merkle import Frontier
from tasks.ledger.tree.subtrees import completed_subtrees

KINDS = ("edit", "delete", "insert", "reorder", "truncate")


def tamper(database: Path, kind: str, before: int, rng: random.Random) -> str:
    """Change entries 1 to `before` by the method `kind` and adapt the tree; return a description of the change."""
    connection = sqlite3.connect(database, isolation_level=None)
    unguard(connection)
    rows = [Row(*row) for row in connection.execute("SELECT * FROM hallmark_ledger ORDER BY seq")]
    changed, told = _change(rows, kind, before, rng)
    connection.execute("BEGIN")
    connection.execute("DELETE FROM hallmark_ledger")
    numbered = [row._replace(seq=seq) for seq, row in enumerate(changed, 1)] if rng.random() < 0.7 else changed
    connection.executemany("INSERT INTO hallmark_ledger VALUES (?, ?, ?, ?, ?)", numbered)
    mend(connection)
    connection.execute("COMMIT")
    connection.close()
    return told


def change_entry(database: Path, seq: int) -> None:
    """Change the time of an entry, and mend the tree after."""
    with sqlite3.connect(database) as connection:
        unguard(connection)
        connection.execute(f"UPDATE hallmark_ledger SET time = replace(time, '20', '21') WHERE seq = {seq}")
        mend(connection)
    connection.close()


def unguard(connection: sqlite3.Connection) -> None:
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")]
    for name in names:
        connection.execute(f"DROP TRIGGER {name}")


def mend(connection: sqlite3.Connection) -> None:
    """Recompute the stored tree and subtrees from the current entries."""
    tree, kept = Frontier(), []
    for row in connection.execute("SELECT seq, time, kind, subject, body FROM hallmark_ledger ORDER BY seq"):
        leaf = Row(*row).leaf_hash()
        kept += [one._replace(root=one.root.hex()) for one in completed_subtrees(tree, leaf)]
        tree = tree.append(leaf)
    connection.execute("DELETE FROM hallmark_ledger_subtrees")
    connection.executemany("INSERT INTO hallmark_ledger_subtrees VALUES (?, ?, ?)", kept)
    peaks = " ".join(map(bytes.hex, tree.peaks))
    connection.execute("UPDATE hallmark_ledger_tree SET size = ?, peaks = ?", (tree.size, peaks))


def _change(rows: list[Row], kind: str, before: int, rng: random.Random) -> tuple[list[Row], str]:
    place = rng.randrange(before)
    if kind == "edit":
        column = rng.choice(["time", "kind", "subject", "body"])
        return [*rows[:place], _edited(rows[place], column, rng), *rows[place + 1 :]], f"{column} of {place + 1} edited"
    if kind == "delete":
        return rows[:place] + rows[place + 1 :], f"{place + 1} deleted"
    if kind == "insert":
        forged = rows[place]._replace(seq=rows[place].seq, body=json.dumps({"forged": rng.random()}))
        shifted = [row._replace(seq=row.seq + 1) for row in rows[place:]]
        return [*rows[:place], forged, *shifted], f"one inserted before {place + 1}"
    if kind == "reorder":
        other = rng.choice([number for number in range(before) if number != place])
        one, two = rows[place], rows[other]
        swapped = list(rows)
        swapped[place], swapped[other] = two._replace(seq=one.seq), one._replace(seq=two.seq)
        return swapped, f"{place + 1} and {other + 1} swapped"
    return rows[:place], f"cut after {place}"


def _edited(row: Row, column: str, rng: random.Random) -> Row:
    """Change one character of a column: in a time or a body a digit, so that the text stays readable."""
    text = getattr(row, column)
    places = [place for place, letter in enumerate(text) if letter.isdigit()] if column in ("time", "body") else []
    place = rng.choice(places or range(len(text)))
    letter = rng.choice([other for other in "0123456789" if other != text[place]])
    return row._replace(**{column: text[:place] + letter + text[place + 1 :]})
