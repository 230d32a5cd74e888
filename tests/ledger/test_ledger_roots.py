"""Proofs take what they can from the roots kept beside the entries, believe none of them, and do without them."""

import json
from pathlib import Path

import pytest

from tasks.core.errors import Refused
from tasks.ledger import ledger_verification as ledger_check
from tasks.ledger import roots
from tasks.ledger.proof import Prover
from tasks.ledger.tables import Tables
from tasks.ledger.tree import subtrees
from tasks.ledger.tree.merkle import Frontier, tree_hash
from tests.governed.house import House, copied
from tests.ledger.publishing import append, edit, published

SIZE = 1500
"""Five blocks and a bit."""
KEPT = "hallmark_ledger_subtrees"


@pytest.fixture(scope="module")
def grown_once(tmp_path_factory: pytest.TempPathFactory, made: Path) -> Path:
    root = tmp_path_factory.mktemp("grown")
    house = copied(made, root)
    append(house, SIZE)
    published(house)
    append(house, 1)
    house.ledger.close()
    return root


@pytest.fixture
def grown(tmp_path: Path, grown_once: Path) -> House:
    """Many entries, under a head of all but the last."""
    return copied(grown_once, tmp_path)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each reading of the table brought."""
    counts, find = [], Tables.rows

    def counted(self: Tables, *given: object, **named: object) -> list[object]:
        found = find(self, *given, **named)
        counts.append(len(found))
        return found

    monkeypatch.setattr(Tables, "rows", counted)
    return counts


def test_a_proof_reads_the_blocks_that_it_ends_in_and_no_others(grown: House, read: list[int]) -> None:
    Prover(grown.ledger, grown.governance).prove_inclusion(700)
    assert sum(read) <= 2 * subtrees.BLOCK_SIZE + 1


def test_many_proofs_read_no_entry_twice(grown: House, read: list[int]) -> None:
    prover = Prover(grown.ledger, grown.governance)
    proved = [prover.prove_inclusion(seq).entry.seq for seq in range(1, SIZE + 1, 7)]
    assert sum(read) <= SIZE + 1 + len(proved)


def test_that_a_head_goes_on_from_an_older_one_is_shown_without_reading_all(grown: House, read: list[int]) -> None:
    older = json.loads((grown.state / "heads" / f"{SIZE:012d}.json").read_bytes())
    append(grown, 3 * subtrees.BLOCK_SIZE)
    published(grown)
    read.clear()
    Prover(grown.ledger, grown.governance).prove_consistency(older)
    assert sum(read) <= 2 * subtrees.BLOCK_SIZE


@pytest.mark.parametrize("size", [1, 3, 4, 5, 8, 11, 16, 37])
def test_every_entry_is_proved_with_kept_roots_and_without(
    house: House, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subtrees, "BLOCK_SIZE", 4)
    monkeypatch.setattr(roots, "BLOCK_SIZE", 4)
    append(house, size)
    published(house)
    with_kept = [Prover(house.ledger, house.governance).prove_inclusion(seq) for seq in range(1, size + 1)]
    assert len(house.ledger.subtree_roots()) == sum(size // 2**level for level in range(2, 7))
    edit(house, f"DELETE FROM {KEPT} WHERE stop > 4", mended=False)
    without = [Prover(house.ledger, house.governance).prove_inclusion(seq) for seq in range(1, size + 1)]
    assert with_kept == without
    assert ledger_check.verify_ledger(house.ledger, house.governance).verdict == "holds"


def test_what_is_kept_are_the_roots_over_the_entries(grown: House) -> None:
    leaves = [row.leaf_hash() for row in grown.ledger.rows()]
    kept = grown.ledger.subtree_roots()
    assert {size for _, size in kept} == {256, 512, 1024}
    for (stop, size), root in kept.items():
        assert tree_hash(leaves[stop - size : stop]).hex() == root


@pytest.mark.parametrize("root", ["0" * 64, "no digest", ""])
def test_a_wrong_root_proves_nothing_and_is_found(grown: House, root: str) -> None:
    edit(grown, f"UPDATE {KEPT} SET root = '{root}' WHERE stop = 512 AND size = 512", mended=False)
    with pytest.raises(Refused, match=r"does not show|changed by hand"):
        Prover(grown.ledger, grown.governance).prove_inclusion(700)
    report = ledger_check.verify_ledger(grown.ledger, grown.governance)
    wrong = [finding.text for finding in report.findings if finding.verdict == "wrong"]
    assert wrong == ["1 roots kept beside the entries are not theirs, first that of 512 up to 512"]


@pytest.mark.parametrize("seq", [600, 699, 700, 1500])
def test_an_entry_that_is_missing_proves_nothing(grown: House, seq: int) -> None:
    edit(grown, f"DELETE FROM hallmark_ledger WHERE seq = {seq}", mended=False)
    with pytest.raises(Refused, match="hallmark ledger verify"):
        Prover(grown.ledger, grown.governance).prove_inclusion(700)


def test_only_the_last_entry_of_a_block_finishes_one() -> None:
    tree = Frontier()
    for seq in range(1, 1025):
        leaf = seq.to_bytes(32, "big")
        sizes = [one.size for one in subtrees.completed_subtrees(tree, leaf)]
        assert sizes == [size for size in (256, 512, 1024) if seq % size == 0]
        tree = tree.append(leaf)
