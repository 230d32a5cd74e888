"""What cannot be recorded does not happen: full disks, files that may only be read."""

import subprocess
from pathlib import Path

import pytest

from tasks.core.errors import Unavailable
from tasks.gates import cases
from tasks.ledger import ledger_verification as ledger_check
from tasks.ledger.heads import publication
from tasks.ledger.ledger import open_ledger
from tests.checkouts import Checkouts
from tests.governed.house import House
from tests.ledger.publishing import append, published, verified
from tests.small_disk import fill, small_disk
from tests.tiny_project import hallmark


def test_a_full_disk_records_nothing_and_the_ledger_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8):
        ledger = open_ledger(tmp_path / "disk")
        ledger.append("a", "x", {"n": 1})
        before = ledger.frontier()
        filler = fill(tmp_path / "disk")
        for _ in range(2):
            with pytest.raises(Unavailable, match="nothing was recorded"):
                ledger.append("b", "x", {"blob": "x" * 300_000})
        assert [entry.kind for entry in ledger.entries()] == ["a"] and ledger.frontier() == before
        filler.unlink()
        assert ledger.append("c", "x", {}).seq == 2 and ledger.frontier().size == 2
        ledger.close()


def test_a_head_on_a_full_disk_is_none_and_the_next_one_is_whole(house: House) -> None:
    append(house, 2)
    heads = house.state / "heads"
    with small_disk(heads, 1):
        filler = fill(heads)
        with pytest.raises(Unavailable, match="No space left"):
            published(house)
        assert publication.local_head_place(house.governance).sizes() == set()
        told = publication.publish_if_changed(house.ledger, house.governance)
        assert len(told) == 1 and "No space left" in told[0]
        filler.unlink()
        newest = published(house).newest_head
        assert newest is not None and newest.size == 2 and verified(house).anchored == 2


def test_a_full_place_is_away_and_gets_its_heads_later(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(house, 2)
    with small_disk(tmp_path / "disk", 1):
        monkeypatch.setenv(publication.PLACES_VARIABLE, str(tmp_path / "disk"))
        filler = fill(tmp_path / "disk")
        assert "No space left" in published(house).unavailable[0]
        filler.unlink()
        assert published(house).delivered == {str(tmp_path / "disk"): 1}
        assert ledger_check.verify_ledger(house.ledger, house.governance).verdict == "holds"


def test_a_gate_on_a_full_disk_is_not_asked(house: House, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 8):
        house.ledger = open_ledger(tmp_path / "disk")
        fill(tmp_path / "disk")
        with pytest.raises(Unavailable, match="nothing was recorded"):
            for _ in range(100):  # the file may have some room of its own
                house.ask()
                cases.record_closing(house.ledger, cases.read_cases(house.ledger)[-1], "expired")
                house.ledger.append("a", "x", {"blob": "x" * 100_000})
        entries = house.ledger.entries()
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert house.ledger.frontier().size == len(entries)
        house.ledger.close()


@pytest.mark.slow
def test_a_command_on_a_full_disk_exits_with_3(tmp_path: Path, checkouts: Checkouts) -> None:
    project = checkouts.made(tmp_path / "project")
    with small_disk(project / ".hallmark", 8):
        hallmark(project, "init")
        ledger = open_ledger(project / ".hallmark")
        ledger.append("a", "x", {})
        filler = fill(project / ".hallmark")
        with pytest.raises(Unavailable):
            while True:  # what is left in the file's own pages
                ledger.append("a", "x", {"blob": "x" * 100})
        told = hallmark(project, "ledger", "publish", code=3)
        assert "No space left on device" in told and "Traceback" not in told
        filler.unlink()
        hallmark(project, "ledger", "publish")
        hallmark(project, "ledger", "verify")
        ledger.close()


@pytest.mark.slow
def test_a_ledger_that_may_only_be_read_takes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    with small_disk(folder, 8):
        ledger = open_ledger(folder)
        ledger.append("a", "x", {})
        ledger.close()
        remounted = subprocess.run(["mount", "-o", "remount,ro", str(folder)], capture_output=True, text=True)
        if remounted.returncode:
            pytest.skip(f"cannot mount it read-only here: {remounted.stderr.strip()}")
        for act in (lambda: ledger.append("b", "x", {}), lambda: open_ledger(folder)):
            with pytest.raises(Unavailable, match="nothing was recorded"):
                act()
