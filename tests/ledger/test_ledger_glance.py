"""What a short look at the ledger sees: everything in a short one, and every block of a long one after some looks."""

import random

import pytest

from tasks.ledger import quick_check
from tasks.ledger.entry import Row
from tasks.ledger.tree.subtrees import BLOCK_SIZE
from tests.governed.house import House
from tests.ledger.publishing import append, edit, published
from tests.ledger_tampering import KINDS, tamper
from tests.soaking import soak


def sees(house: House) -> list[str]:
    return quick_check.find_problems(house.ledger, house.governance)


def test_a_ledger_that_only_grows_is_right_at_every_size(house: House) -> None:
    assert sees(house) == []
    for count in (1, 3, BLOCK_SIZE, 1, BLOCK_SIZE - 3):
        append(house, count)
        assert sees(house) == []
        published(house)
        assert sees(house) == []


@pytest.mark.parametrize("seed", [0, *soak([1, 2])])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [9, BLOCK_SIZE + 40])
def test_a_change_under_the_head_shows_however_well_it_is_mended(house: House, kind: str, size: int, seed: int) -> None:
    append(house, size)
    published(house)
    append(house, 3)
    told = tamper(house.state / "ledger.db", kind, size, random.Random(seed))
    assert sees(house), told


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE hallmark_ledger SET subject = 'other' WHERE seq = 11",
        "UPDATE hallmark_ledger SET body = x'00' WHERE seq = 11",
        "DELETE FROM hallmark_ledger WHERE seq = 11",
        "DELETE FROM hallmark_ledger WHERE seq = 5",
        "UPDATE hallmark_ledger_tree SET size = 10",
        "UPDATE hallmark_ledger_tree SET peaks = 'zz'",
        "DELETE FROM hallmark_ledger_tree",
    ],
)
def test_what_is_not_mended_shows_after_the_head_too(house: House, statement: str) -> None:
    append(house, 8)
    published(house)
    append(house, 3)
    edit(house, statement, mended=False)
    assert sees(house)


def test_in_a_long_ledger_an_old_change_shows_after_some_looks(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_check, "BLOCKS_TO_VERIFY", 2)
    append(house, 6 * BLOCK_SIZE)
    published(house)
    edit(house, "UPDATE hallmark_ledger SET subject = 'other' WHERE seq = 300", mended=False)
    monkeypatch.setattr(random, "sample", lambda blocks, count: [0])
    assert sees(house) == []
    monkeypatch.setattr(random, "sample", lambda blocks, count: [1])
    assert "entries 257 to 512 are not those" in sees(house)[0]


def test_a_look_hashes_some_blocks_of_a_long_ledger(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_check, "BLOCKS_TO_VERIFY", 2)
    append(house, 5 * BLOCK_SIZE)
    published(house)
    hashed, leaf_hash = [], Row.leaf_hash
    monkeypatch.setattr(Row, "leaf_hash", lambda row: hashed.append(row.seq) or leaf_hash(row))
    assert sees(house) == []
    assert len(hashed) == 2 * BLOCK_SIZE
