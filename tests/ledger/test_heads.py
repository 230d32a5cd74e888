"""Signed heads: what they say, and the places where they are published."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from tasks.core.errors import InputError, Refused, Unavailable
from tasks.ledger import export as ledger_export
from tasks.ledger import ledger_verification as ledger_check
from tasks.ledger.heads import heads, publication
from tasks.ledger.heads.places.folder import FolderPlace
from tasks.policy.governance import Governance
from tasks.trust import dsse
from tests.governed.house import House
from tests.ledger.publishing import append, published, said, verified


def test_a_head_says_what_the_ledger_holds(kept: House, away: Path) -> None:
    assert sorted(path.name for path in away.iterdir()) == ["000000000003.json", "000000000006.json"]
    head, envelope = heads.parse_head(
        (away / "000000000006.json").read_bytes(), publication.ledger_keys(kept.governance)
    )
    (first, *_), before = kept.ledger.rows(), list(kept.ledger.rows(upto=6))
    assert head.ledger == first.leaf_hash().hex() and head.size == 6 and head.time >= kept.ledger.entries()[5].time
    assert dsse.subject_digests(dsse.unverified_statement(envelope)) == {"ledger": head.root}
    tree = head.tree
    for row in kept.ledger.rows(after=6):
        tree = tree.append(row.leaf_hash())
    assert len(before) == 6 and tree == kept.ledger.frontier()


def test_publishing_again_changes_nothing(kept: House, away: Path) -> None:
    assert published(kept).delivered == {str(away): 1}
    before = {path: path.read_bytes() for path in away.iterdir()}
    assert published(kept).delivered == {str(away): 0}
    assert {path: path.read_bytes() for path in away.iterdir()} == before and len(before) == 3


def test_a_ledger_that_is_as_it_was_verifies_and_what_no_head_covers_is_said(kept: House, away: Path) -> None:
    report = verified(kept)
    assert (report.verdict, report.entries, report.anchored) == ("holds", 8, 6)
    assert "entries 7 to 8 came after the newest signed head" in said(kept, "told")
    assert f"2 signed heads in {away} agree" in said(kept, "holds")
    published(kept)
    assert verified(kept).anchored == 8 and said(kept, "told") == ""


def test_an_empty_ledger_has_no_head_and_verifies(house: House) -> None:
    assert published(house).newest_head is None
    assert verified(house).verdict == "holds"
    assert "names no place" in said(house, "told")


def test_a_place_that_is_away_loses_no_head(kept: House, away: Path, tmp_path: Path) -> None:
    away.parent.rename(tmp_path / "unmounted")
    done = published(kept)
    assert done.delivered == {} and "there is no such folder" not in str(away) and str(away) in done.unavailable[0]
    assert verified(kept).verdict == "incomplete" and "not compared with the heads there" in said(kept, "away")
    append(kept, 1)
    assert published(kept).newest_head is not None
    (tmp_path / "unmounted").rename(away.parent)
    assert "lacks 2 heads" in said(kept, "told")
    assert published(kept).delivered == {str(away): 2}
    assert verified(kept).anchored == 9


def test_an_export_has_the_heads_that_can_be_reached(kept: House, away: Path, tmp_path: Path) -> None:
    (away / "000000000003.json").write_text("no JSON")
    done = ledger_export.export_ledger(kept.ledger, kept.governance, tmp_path / "one.jsonl")
    assert (done.header.heads, done.unavailable) == (2, [])
    away.parent.rename(tmp_path / "unmounted")
    done = ledger_export.export_ledger(kept.ledger, kept.governance, tmp_path / "two.jsonl")
    assert done.header.heads == 2 and str(away) in done.unavailable[0]
    key = publication.ledger_keys(kept.governance)
    for name in ("one.jsonl", "two.jsonl"):
        assert ledger_export.verify_export(tmp_path / name, key).verdict == "holds"


def test_a_head_published_while_an_export_begins_covers_no_more_than_it_holds(
    kept: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = publication.configured_places

    def meanwhile(governance: Governance) -> object:
        patched.undo()
        append(kept, 1)
        published(kept)
        return places(governance)

    with monkeypatch.context() as patched:
        patched.setattr(publication, "configured_places", meanwhile)
        ledger_export.export_ledger(kept.ledger, kept.governance, tmp_path / "all.jsonl")
    report = ledger_export.verify_export(tmp_path / "all.jsonl", publication.ledger_keys(kept.governance))
    assert report.verdict == "holds", report


def test_two_machines_publish_to_one_place(kept: House, away: Path, tmp_path: Path) -> None:
    """One ledger, two states: each takes up what the other published."""
    other = tmp_path / "other"
    shutil.copytree(kept.state / "keys", other / "keys")
    theirs = dataclasses.replace(kept.governance, state=other)
    assert publication.publish(kept.ledger, theirs).delivered == {str(away): 1}
    append(kept, 1)
    assert published(kept).delivered == {str(away): 1}
    append(kept, 1)
    assert publication.publish(kept.ledger, theirs).newest_head is not None
    assert {head.head.size for head in ledger_check.collect_known_heads(theirs)[0]} == {3, 6, 8, 9, 10}
    assert verified(kept).verdict == "holds"


def test_another_head_that_came_to_a_place_meanwhile_is_told(kept: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written over, so what is there afterwards is compared."""
    add = FolderPlace.add

    def raced(self: FolderPlace, given: dict[int, bytes]) -> None:
        add(
            self,
            dict.fromkeys(given, b"{}") if self.name != publication.local_head_place(kept.governance).name else given,
        )
        add(self, given)

    monkeypatch.setattr(FolderPlace, "add", raced)
    with pytest.raises(Refused, match="has another head of 8 entries than was signed here"):
        published(kept)


def test_no_key_says_what_to_do(kept: House) -> None:
    (kept.state / "keys" / "ledger").unlink()
    with pytest.raises(InputError, match="the private key of ledger is wanted"):
        published(kept)


@pytest.mark.parametrize("words", ["s3://", "s3:///x"])
def test_a_place_that_is_none_is_a_mistake_of_whoever_set_it(
    kept: House, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setenv(publication.PLACES_VARIABLE, words)
    with pytest.raises(InputError, match="HALLMARK_LEDGER_HEADS"):
        published(kept)


@pytest.mark.parametrize("words", ["{state}/heads", "{state}/runs/heads", "{link}", "{away} {away}/", "{away} {again}"])
def test_a_place_beside_the_ledger_or_named_twice_is_refused(
    kept: House, away: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    (tmp_path / "link").symlink_to(kept.state / "heads")
    (tmp_path / "again").symlink_to(away)
    named = words.format(state=kept.state, link=tmp_path / "link", away=away, again=tmp_path / "again")
    monkeypatch.setenv(publication.PLACES_VARIABLE, named)
    with pytest.raises(InputError, match="HALLMARK_LEDGER_HEADS"):
        verified(kept)


def test_a_folder_that_cannot_be_written_is_away(kept: House, away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(publication.PLACES_VARIABLE, f"{away} /proc/heads")
    done = published(kept)
    assert (
        done.delivered == {str(away): 1}
        and len(done.unavailable) == 1
        and "/proc/heads cannot be used" in done.unavailable[0]
    )
    with pytest.raises(Unavailable):
        publication.configured_places(kept.governance)[1].add({1: b"x"})
