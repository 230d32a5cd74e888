"""A ledger that an early commit wrote is told from one that somebody changed, and who wrote a ledger stands in it."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from tasks.core.errors import Refused
from tasks.core.version import VERSION
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.ledger.tree.merkle import Frontier
from tasks.ledger.tree.subtrees import BLOCK_SIZE

WRITTEN = [("2026-11-30T12:25:28.659434Z", 0), ("2026-11-30T12:25:28.685772Z", 1), ("2026-11-30T12:25:28.694427Z", 2)]
"""Times and numbers of three entries that commit 37f9eb8c wrote."""
PEAKS = (
    "07c727b71d7512fa56e498269f87efa5f35732af57a4527bd0625ebe149b8eb6 "
    "4ff5bc230b2afcbeb2dafa96e6b8c72be44d26cbf769e236b77bf51e2be46978"
)
"""As that commit kept them."""
Line = tuple[int, str, str, str, str]


def lines(times: Sequence[tuple[str, int]]) -> list[Line]:
    return [(at + 1, time, "run.ended", f"run-{at}", '{"status":"done"}') for time, at in times]


def leaf(line: Line) -> bytes:
    """As RFC 9162 hashes it, in the form of before."""
    said = dict(zip(("seq", "time", "kind", "subject", "body"), line, strict=True))
    return sha256(b"\0" + json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).digest()


def put(ledger: Ledger, state: Path, written: list[Line], peaks: str, subtrees: dict[int, str]) -> None:
    """Fill an empty ledger as an early commit did, which named no version."""
    ledger.close()
    with closing(sqlite3.connect(state / "ledger.db")) as database, database:
        database.execute("DROP TABLE hallmark_ledger_writers")
        database.executemany("INSERT INTO hallmark_ledger VALUES (?, ?, ?, ?, ?)", written)
        database.execute("UPDATE hallmark_ledger_tree SET size = ?, peaks = ?", (len(written), peaks))
        for size, root in subtrees.items():
            database.execute("INSERT INTO hallmark_ledger_subtrees VALUES (?, ?, ?)", (size, size, root))


def test_one_that_an_early_commit_wrote_is_not_called_changed(ledger: Ledger, tmp_path: Path) -> None:
    put(ledger, tmp_path, lines(WRITTEN), PEAKS, {})
    with pytest.raises(
        Refused, match=r"written by an early commit of Hallmark 0\.1\.0 \(before 9efc2bd\), which hashed"
    ):
        open_ledger(tmp_path)


def test_a_long_one_is_known_by_its_first_block(ledger: Ledger, tmp_path: Path) -> None:
    written = lines([(WRITTEN[0][0], at) for at in range(BLOCK_SIZE + 44)])
    made, first = Frontier(), ""
    for line in written:
        made = made.append(leaf(line))
        first = made.root().hex() if made.size == BLOCK_SIZE else first
    put(ledger, tmp_path, written, " ".join(map(bytes.hex, made.peaks)), {BLOCK_SIZE: first})
    with pytest.raises(Refused, match="written by an early commit"):
        open_ledger(tmp_path)


def test_one_of_before_versions_were_stored_goes_on_and_names_who_wrote_it(ledger: Ledger, tmp_path: Path) -> None:
    ledger.append("run.ended", "run-1", {})
    ledger.close()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database, database:
        database.execute("DROP TABLE hallmark_ledger_writers")
    assert open_ledger(tmp_path).append("run.ended", "run-2", {}).seq == 2
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as database:
        assert database.execute("SELECT hallmark FROM hallmark_ledger_writers").fetchall() == [(VERSION,)]
