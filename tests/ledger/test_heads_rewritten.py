"""What signed heads show of a ledger that was rewritten, cut or replaced."""

import dataclasses
import random
import shutil
from pathlib import Path

import pytest

from tasks.core.errors import Refused
from tasks.ledger import export as ledger_export
from tasks.ledger import ledger_verification as ledger_check
from tasks.ledger.heads import publication
from tasks.ledger.ledger import open_ledger
from tests.governed.house import House
from tests.ledger.publishing import UNTYPED, append, edit, published, said, verified
from tests.ledger_tampering import KINDS, tamper


@pytest.mark.attack(rights="database", stopped="signed heads published elsewhere (it shows)")
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_changed_before_the_last_published_head_shows(kept: House, kind: str) -> None:
    rng = random.Random(kind)
    for number in range(8):
        copy = kept.state.with_name(f"copy-{number}")
        # Heads beside the ledger are gone too: whoever owns one may own the other.
        shutil.copytree(kept.state, copy, ignore=shutil.ignore_patterns("heads"))
        told = tamper(copy / "ledger.db", kind, 6, rng)
        governed = dataclasses.replace(kept.governance, state=copy)
        assert ledger_check.verify_ledger(open_ledger(copy), governed).verdict == "wrong", told


def test_where_a_change_is_can_be_read_off_the_heads(kept: House) -> None:
    edit(kept, "UPDATE hallmark_ledger SET body = '{}' WHERE seq = 5")
    assert "the head in" in said(kept, "wrong") and "entries 1 to 6 are not those" in said(kept, "wrong")
    assert "1 signed heads" in said(kept, "holds") and "the newest has 3 entries" in said(kept, "holds")


@pytest.mark.attack(rights="database", stopped="a new head must go on from the published ones")
def test_a_rewritten_ledger_gets_no_new_head(kept: House, away: Path) -> None:
    edit(kept, "UPDATE hallmark_ledger SET body = '{}' WHERE seq = 2")
    with pytest.raises(Refused, match="was rewritten: its tree of 8 entries does not go on"):
        published(kept)
    assert len(list(away.iterdir())) == 2
    assert "was rewritten" in publication.publish_if_changed(kept.ledger, kept.governance)[0]


@pytest.mark.attack(rights="database", stopped="the newest head is compared with a shorter tree too")
def test_a_ledger_that_was_cut_is_told_by_the_runner(kept: House) -> None:
    edit(kept, "DELETE FROM hallmark_ledger WHERE seq > 5")
    assert "was rewritten" in publication.publish_if_changed(kept.ledger, kept.governance)[0]


@pytest.mark.attack(rights="database", stopped="the tree beside the entries, and published heads")
def test_a_shortened_ledger_gets_no_new_head_and_takes_no_more_entries_while_its_tree_is_longer(kept: House) -> None:
    edit(kept, "DELETE FROM hallmark_ledger WHERE seq > 4", mended=False)
    with pytest.raises(Refused, match="last entry is 4, its tree has 8; nothing was recorded"):
        append(kept, 1)
    assert "the tree kept beside the entries is not theirs" in said(kept, "wrong")
    assert "entries were taken off its end" in said(kept, "wrong") and "triggers" in said(kept, "told")
    edit(kept)
    append(kept, 1)
    with pytest.raises(Refused, match="was rewritten"):
        published(kept)


@pytest.mark.attack(rights="database", stopped="signed heads published elsewhere (it shows)")
def test_a_ledger_brought_back_from_an_old_copy_shows(kept: House, tmp_path: Path) -> None:
    """Heads beside it included: only the place knows better."""
    old = shutil.copytree(kept.state, tmp_path / "backup")
    append(kept, 4)
    published(kept)
    shutil.rmtree(kept.state)
    shutil.copytree(old, kept.state)
    append(kept, 1)
    assert "has a head" not in said(kept, "wrong") and "the ledger ends at entry 9" in said(kept, "wrong")
    with pytest.raises(Refused, match=r"does not go on from what is known: .*has a head of 12 entries"):
        published(kept)
    append(kept, 3)
    with pytest.raises(Refused, match=r"has a head of 12 entries.*its entries give another root"):
        published(kept)


@pytest.mark.attack(rights="database", stopped="signed heads published elsewhere (it shows)")
def test_another_ledger_in_its_place_shows(kept: House) -> None:
    for path in kept.state.glob("ledger.db*"):
        path.unlink()
    shutil.rmtree(kept.state / "heads")
    kept.ledger = open_ledger(kept.state)
    append(kept, 8)
    assert "entries 1 to 6 are not those" in said(kept, "wrong")
    with pytest.raises(Refused, match="was rewritten"):
        published(kept)


def test_a_row_under_an_impossible_number_or_a_number_twice_shows(kept: House) -> None:
    columns = "time, kind, subject, body FROM hallmark_ledger WHERE seq = 8"
    edit(kept, f"INSERT INTO hallmark_ledger SELECT -4, {columns}")
    assert "entry -4 stands where 1 was expected" in said(kept, "wrong")
    edit(
        kept, "DELETE FROM hallmark_ledger WHERE seq = -4", *UNTYPED, f"INSERT INTO hallmark_ledger SELECT 8, {columns}"
    )
    assert "entry 8 stands where 9 was expected" in said(kept, "wrong")


def test_a_row_that_no_order_reaches_shows(kept: House) -> None:
    insert = "INSERT INTO hallmark_ledger SELECT NULL, time, kind, subject, body FROM hallmark_ledger WHERE seq = 8"
    edit(kept, *UNTYPED, insert, mended=False)
    assert "the table counts 9 rows, and 8 were read in order" in said(kept, "wrong")


@pytest.mark.parametrize("value", ["x'ff'", "7", "NULL", "'[]'", "CAST(x'ff' AS TEXT)"])
def test_a_value_that_cannot_be_one_of_an_entry_is_pointed_at(kept: House, value: str) -> None:
    edit(kept, *UNTYPED, f"UPDATE hallmark_ledger SET body = {value} WHERE seq = 4", mended=False)
    assert "entry 4 of the ledger was changed" in said(kept, "wrong")


def test_a_clock_that_ran_back_is_told_and_is_no_tampering(kept: House, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = kept.ledger.entries()[0].time
    monkeypatch.setattr(type(kept.ledger), "now", lambda self: earlier)
    append(kept, 1)
    assert verified(kept).verdict == "holds"
    assert "the clock ran back at entry 9 by" in said(kept, "told")


@pytest.mark.attack(rights="database", stopped="an entry that is no text is refused, by name")
def test_an_entry_that_is_no_text_is_told_without_a_traceback(kept: House, tmp_path: Path) -> None:
    edit(kept, "UPDATE hallmark_ledger SET subject = CAST(x'ff' AS TEXT) WHERE seq = 7", mended=False)
    assert "entry 7 of the ledger was changed" in publication.publish_if_changed(kept.ledger, kept.governance)[0]
    with pytest.raises(Refused, match="entry 7 of the ledger was changed"):
        ledger_export.export_ledger(kept.ledger, kept.governance, tmp_path / "all.jsonl")
    assert not (tmp_path / "all.jsonl").exists()


@pytest.mark.attack(rights="database", stopped="a new head is of entries numbered without a gap")
def test_an_entry_numbered_twice_after_the_last_head_stops_the_next(kept: House) -> None:
    edit(kept, *UNTYPED, "UPDATE hallmark_ledger SET seq = 8 WHERE seq = 7")
    with pytest.raises(Refused, match="was rewritten: entry 7 is missing"):
        published(kept)
