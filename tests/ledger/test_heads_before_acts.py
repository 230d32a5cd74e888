"""Heads that somebody who acts compares the ledger with: the newest of this machine and of the places."""

from datetime import timedelta
from pathlib import Path

import pytest

from tasks.ledger import quick_check
from tasks.ledger.heads import heads, publication
from tests.governed.house import PEOPLE, House, reload
from tests.ledger.publishing import append, edit, published
from tests.ledger.test_heads_forged import other_key, rekeyed


def problems(house: House) -> list[str]:
    return quick_check.find_problems(house.ledger, house.governance, every_entry=True, search_places=True)


def forget_heads(house: House, *sizes: int) -> None:
    """Remove heads that this machine has signed, as if another machine had; all of them if no size is given."""
    for path in (house.state / "heads").glob("*.json"):
        if not sizes or int(path.stem) in sizes:
            path.unlink()


@pytest.mark.attack(rights="database", stopped="who acts looks at the heads in the places too")
def test_a_machine_that_signed_an_early_head_looks_at_the_places_too(kept: House) -> None:
    forget_heads(kept, 6)
    assert problems(kept) == []
    edit(kept, "DELETE FROM hallmark_ledger WHERE seq > 4")
    (problem,) = problems(kept)
    assert "it ends at entry 4, and the newest signed head has 6 entries" in problem


@pytest.mark.attack(rights="database", stopped="a head by a key that the ledger does not know is not passed over")
def test_a_ledger_cut_to_before_the_adoption_of_the_key_of_its_heads_shows(kept: House, away: Path) -> None:
    old = kept.line("ledger")
    rekeyed(kept, "valid_before: 2026-01-01")
    append(kept, 1)
    published(kept)
    forget_heads(kept)
    assert problems(kept) == []
    reload(kept, people=f"{PEOPLE}machines: {{ledger: {{keys: ['{old}']}}}}\n")
    (problem,) = problems(kept)
    assert problem.startswith(f"the head of 9 entries in {away} does not count")


@pytest.mark.attack(rights="disk", stopped="a file in a place that is no head is told to who acts")
@pytest.mark.parametrize("rubbish", [b"", b"{}", None], ids=["empty", "no head", "signed by another"])
def test_rubbish_in_a_place_does_not_hide_its_heads(kept: House, away: Path, rubbish: bytes | None) -> None:
    forget_heads(kept)
    data = other_key(kept, (away / "000000000006.json").read_bytes()) if rubbish is None else rubbish
    edit(kept, "DELETE FROM hallmark_ledger WHERE seq > 4")
    (away / "000000000999.json").write_bytes(data)
    (problem,) = problems(kept)
    assert problem.startswith(f"the head of 999 entries in {away} does not count")


@pytest.mark.attack(rights="disk", stopped="the newest head that is not void counts")
def test_void_heads_in_a_place_hide_no_earlier_one(kept: House, away: Path) -> None:
    three = heads.parse_head((away / "000000000003.json").read_bytes(), publication.ledger_keys(kept.governance))[0]
    rekeyed(kept, f"revoked_as_of: '{three.time + timedelta(microseconds=1)}', reason: stolen")
    forget_heads(kept)
    assert problems(kept) == []
    edit(kept, "UPDATE hallmark_ledger SET body = '{}' WHERE seq = 2")
    assert "entries 1 to 3 are not those that the head of 3 entries" in problems(kept)[0]


def test_a_place_that_is_away_stops_nobody(kept: House, away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(publication.PLACES_VARIABLE, f"{away.parent.with_name('unmounted')}/heads {away}")
    forget_heads(kept)
    assert problems(kept) == []
    edit(kept, "DELETE FROM hallmark_ledger WHERE seq > 4")
    assert "its end was cut off" in problems(kept)[0]
