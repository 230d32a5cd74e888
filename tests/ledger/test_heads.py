"""Signed heads, where they are published, and what shows when the ledger is rewritten."""

import dataclasses
import json
import random
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.files import canonical_json
from tasks.ledger import check as ledger_check
from tasks.ledger import export as ledger_export
from tasks.ledger.heads import heads, publish
from tasks.ledger.heads.places.folder import Folder
from tasks.ledger.ledger import open_ledger
from tasks.ledger.walk import Report
from tasks.policy.governance import Governance
from tasks.trust import dsse, keys
from tests.governed.house import PEOPLE, House, reload
from tests.ledger_tampering import KINDS, mend, tamper, unguard

UNTYPED = "ALTER TABLE hallmark_ledger RENAME TO old", "CREATE TABLE hallmark_ledger AS SELECT * FROM old"
"""Statements that make the table one which takes anything."""


FORGED_HEAD = pytest.mark.attack(rights="disk", stopped="the signature of the ledger's key")


@pytest.fixture
def away(tmp_path: Path) -> Path:
    """A folder that the ledger's owner cannot write, let us say."""
    return tmp_path / "mounted" / "heads"


@pytest.fixture
def kept(house: House, away: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A ledger of 8 entries with heads of 3 and 6, published."""
    away.parent.mkdir()
    monkeypatch.setenv(publish.PLACES, str(away))
    for _ in range(2):
        append(house, 3)
        published(house)
    append(house, 2)
    return house


def append(house: House, count: int) -> None:
    with house.ledger.transaction():
        for number in range(count):
            house.ledger.append("a.b", f"subject {number}", {"n": number, "who": "ä"})


def published(house: House) -> publish.Published:
    return publish.publish(house.ledger, house.governance)


def verified(house: House) -> Report:
    return ledger_check.verify(house.ledger, house.governance)


def said(house: House, verdict: str) -> str:
    return "\n".join(finding.text for finding in verified(house).findings if finding.verdict == verdict)


def edit(house: House, *statements: str) -> None:
    with sqlite3.connect(house.state / "ledger.db") as connection:
        unguard(connection)
        for statement in statements:
            connection.execute(statement)
        mend(connection)
    connection.close()


def test_a_head_says_what_the_ledger_holds(kept: House, away: Path) -> None:
    assert sorted(path.name for path in away.iterdir()) == ["000000000003.json", "000000000006.json"]
    head, envelope = heads.parse((away / "000000000006.json").read_bytes(), publish.signers(kept.governance))
    (first, *_), before = kept.ledger.rows(), list(kept.ledger.rows(upto=6))
    assert head.ledger == first.leaf_hash().hex() and head.size == 6 and head.time >= kept.ledger.entries()[5].time
    assert dsse.subjects(dsse.peek(envelope)) == {"ledger": head.root}
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
    assert published(house).newest is None
    assert verified(house).verdict == "holds"
    assert "names no place" in said(house, "told")


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
        assert ledger_check.verify(open_ledger(copy), governed).verdict == "wrong", told


def test_where_a_change_is_can_be_read_off_the_heads(kept: House, away: Path) -> None:
    edit(kept, "UPDATE hallmark_ledger SET body = '{}' WHERE seq = 5")
    assert "the head in" in said(kept, "wrong") and "entries 1 to 6 are not those" in said(kept, "wrong")
    assert "1 signed heads" in said(kept, "holds") and "the newest has 3 entries" in said(kept, "holds")


@pytest.mark.attack(rights="database", stopped="a new head must go on from the published ones")
def test_a_rewritten_ledger_gets_no_new_head(kept: House, away: Path) -> None:
    edit(kept, "UPDATE hallmark_ledger SET body = '{}' WHERE seq = 2")
    with pytest.raises(Refused, match="was rewritten: its tree of 8 entries does not go on"):
        published(kept)
    assert len(list(away.iterdir())) == 2
    assert "was rewritten" in publish.publish_grown(kept.ledger, kept.governance)[0]


@pytest.mark.attack(rights="database", stopped="the newest head is compared with a shorter tree too")
def test_a_ledger_that_was_cut_is_told_by_the_runner(kept: House) -> None:
    edit(kept, "DELETE FROM hallmark_ledger WHERE seq > 5")
    assert "was rewritten" in publish.publish_grown(kept.ledger, kept.governance)[0]


@pytest.mark.attack(rights="database", stopped="the tree beside the entries, and published heads")
def test_a_shortened_ledger_gets_no_new_head_and_takes_no_more_entries_while_its_tree_is_longer(kept: House) -> None:
    with sqlite3.connect(kept.state / "ledger.db") as connection:
        unguard(connection)
        connection.execute("DELETE FROM hallmark_ledger WHERE seq > 4")
    connection.close()
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
    with sqlite3.connect(kept.state / "ledger.db") as connection:
        unguard(connection)
        for statement in UNTYPED:
            connection.execute(statement)
        connection.execute(
            "INSERT INTO hallmark_ledger SELECT NULL, time, kind, subject, body FROM hallmark_ledger WHERE seq = 8"
        )
    connection.close()
    assert "the table counts 9 rows, and 8 were read in order" in said(kept, "wrong")


@pytest.mark.parametrize("value", ["x'ff'", "7", "NULL", "'[]'", "CAST(x'ff' AS TEXT)"])
def test_a_value_that_cannot_be_one_of_an_entry_is_pointed_at(kept: House, value: str) -> None:
    with sqlite3.connect(kept.state / "ledger.db") as connection:
        unguard(connection)
        for statement in UNTYPED:
            connection.execute(statement)
        connection.execute(f"UPDATE hallmark_ledger SET body = {value} WHERE seq = 4")
    connection.close()
    assert "entry 4 of the ledger was changed" in said(kept, "wrong")


def test_a_clock_that_ran_back_is_told_and_is_no_tampering(kept: House, monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = kept.ledger.entries()[0].time
    monkeypatch.setattr(type(kept.ledger), "now", lambda self: earlier)
    append(kept, 1)
    assert verified(kept).verdict == "holds"
    assert "the clock ran back at entry 9 by" in said(kept, "told")


def forged(house: House, size: int, **changes: object) -> bytes:
    """A head of the ledger as it is, but for `changes`, signed with the ledger's key."""
    tree = publish.newest(house.governance)
    assert tree is not None
    head = tree.model_copy(update={"size": size, **changes})
    statement = dsse.statement(heads.HEAD, {"ledger": head.root}, head.model_dump(mode="json"))
    return canonical_json(dsse.sign(statement, house.key("ledger")))


def other_key(house: House, data: bytes) -> bytes:
    return canonical_json(dsse.sign(dsse.peek(json.loads(data)), house.key("owner")))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        pytest.param(
            lambda house, data: other_key(house, data), "signed by", id="signed with another key", marks=FORGED_HEAD
        ),
        (lambda house, data: data[:-20], "no signed statement can be read"),
        (lambda house, data: data + b"\n", "not in canonical form"),
        (lambda house, data: b"", "no signed statement can be read"),
        (lambda house, data: b"[" * 100_000, "no signed statement can be read"),
        (lambda house, data: b"[]", "not in canonical form"),
        (lambda house, data: forged(house, 6, ledger="0" * 64), "entries 1 to 6 are not those that it was signed over"),
        pytest.param(
            lambda house, data: forged(house, 6, peaks=["0" * 64, "1" * 64]),
            "the peaks of the head do not",
            id="with another tree",
            marks=pytest.mark.attack(rights="disk", stopped="a head's tree must give its root"),
        ),
        pytest.param(
            lambda house, data: (house.state / "heads" / "000000000003.json").read_bytes(),
            "one of 3 entries",
            id="an older one in the place of a newer",
            marks=pytest.mark.attack(rights="disk", stopped="a head says of how many entries it is"),
        ),
    ],
)
def test_a_head_that_does_not_count_is_pointed_at(
    kept: House, away: Path, make: Callable[[House, bytes], bytes], told: str
) -> None:
    path = away / "000000000006.json"
    data = make(kept, path.read_bytes())
    path.unlink()
    path.write_bytes(data)
    wrong = said(kept, "wrong")
    assert told in wrong and str(away) in wrong
    append(kept, 1)
    with pytest.raises(Refused, match=f"{away}"):
        published(kept)
    assert path.read_bytes() == data


def test_a_head_of_another_ledger_in_the_place_is_refused_and_left_alone(kept: House, away: Path) -> None:
    other = forged(kept, 6, root="0" * 64)
    (away / "000000000006.json").unlink()
    (away / "000000000006.json").write_bytes(other)
    with pytest.raises(Refused, match="has another head of 6 entries than was signed here"):
        published(kept)
    assert (away / "000000000006.json").read_bytes() == other


def test_a_place_that_is_away_loses_no_head(kept: House, away: Path, tmp_path: Path) -> None:
    away.parent.rename(tmp_path / "unmounted")
    done = published(kept)
    assert done.delivered == {} and "there is no such folder" not in str(away) and str(away) in done.away[0]
    assert verified(kept).verdict == "incomplete" and "not compared with the heads there" in said(kept, "away")
    append(kept, 1)
    assert published(kept).newest is not None
    (tmp_path / "unmounted").rename(away.parent)
    assert "lacks 2 heads" in said(kept, "told")
    assert published(kept).delivered == {str(away): 2}
    assert verified(kept).anchored == 9


def test_an_export_has_the_heads_that_can_be_reached(kept: House, away: Path, tmp_path: Path) -> None:
    (away / "000000000003.json").write_text("no JSON")
    done = ledger_export.export(kept.ledger, kept.governance, tmp_path / "one.jsonl")
    assert (done.header.heads, done.away) == (2, [])
    away.parent.rename(tmp_path / "unmounted")
    done = ledger_export.export(kept.ledger, kept.governance, tmp_path / "two.jsonl")
    assert done.header.heads == 2 and str(away) in done.away[0]
    key = publish.signers(kept.governance)
    for name in ("one.jsonl", "two.jsonl"):
        assert ledger_export.verify(tmp_path / name, key).verdict == "holds"


def test_a_head_published_while_an_export_begins_covers_no_more_than_it_holds(
    kept: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = publish.places

    def meanwhile(governance: Governance) -> object:
        patched.undo()
        append(kept, 1)
        published(kept)
        return places(governance)

    with monkeypatch.context() as patched:
        patched.setattr(publish, "places", meanwhile)
        ledger_export.export(kept.ledger, kept.governance, tmp_path / "all.jsonl")
    report = ledger_export.verify(tmp_path / "all.jsonl", publish.signers(kept.governance))
    assert report.verdict == "holds", report


@pytest.mark.attack(rights="database", stopped="an entry that is no text is refused, by name")
def test_an_entry_that_is_no_text_is_told_without_a_traceback(kept: House, tmp_path: Path) -> None:
    with sqlite3.connect(kept.state / "ledger.db") as connection:
        unguard(connection)
        connection.execute("UPDATE hallmark_ledger SET subject = CAST(x'ff' AS TEXT) WHERE seq = 7")
    connection.close()
    assert "entry 7 of the ledger was changed" in publish.publish_grown(kept.ledger, kept.governance)[0]
    with pytest.raises(Refused, match="entry 7 of the ledger was changed"):
        ledger_export.export(kept.ledger, kept.governance, tmp_path / "all.jsonl")
    assert not (tmp_path / "all.jsonl").exists()


def test_two_machines_publish_to_one_place(kept: House, away: Path, tmp_path: Path) -> None:
    """One ledger, two states: each takes up what the other published."""
    other = tmp_path / "other"
    shutil.copytree(kept.state / "keys", other / "keys")
    theirs = dataclasses.replace(kept.governance, state=other)
    assert publish.publish(kept.ledger, theirs).delivered == {str(away): 1}
    append(kept, 1)
    assert published(kept).delivered == {str(away): 1}
    append(kept, 1)
    assert publish.publish(kept.ledger, theirs).newest is not None
    assert {head.head.size for head in ledger_check.known_heads(theirs)[0]} == {3, 6, 8, 9, 10}
    assert verified(kept).verdict == "holds"


def rekeyed(house: House, ended: str) -> None:
    """Another key of the ledger's is adopted, and the one before has ended or is revoked."""
    old, folder = house.line("ledger"), house.state / "keys"
    (folder / "ledger").rename(folder / "old-ledger")
    keys.create(folder, "ledger")
    held = f"[{{public_key: '{old}', {ended}}}, '{house.line('ledger')}']"
    reload(house, people=PEOPLE + f"machines: {{ledger: {{keys: {held}}}}}\n")


@pytest.mark.attack(rights="disk", stopped="heads by a revoked key count for nothing")
def test_heads_of_a_revoked_key_do_not_count_and_the_next_goes_on_from_those_before(kept: House, away: Path) -> None:
    three = heads.parse((away / "000000000003.json").read_bytes(), publish.signers(kept.governance))[0]
    rekeyed(kept, f"revoked_as_of: '{three.time + timedelta(microseconds=1)}', reason: stolen")
    report = verified(kept)
    assert (report.verdict, report.anchored) == ("holds", 3)
    assert said(kept, "told").count("1 signed heads in") == 2 and "is revoked as of" in said(kept, "told")
    done = published(kept)
    assert (done.delivered, done.void, done.newest and done.newest.size) == ({str(away): 1}, 1, 8)
    assert verified(kept).anchored == 8 and "lacks" not in said(kept, "told")
    assert published(kept).delivered == {str(away): 0}


@pytest.mark.attack(rights="disk", stopped="a void head in the place of a good one is another head")
def test_a_revoked_key_replaces_no_head(kept: House, away: Path) -> None:
    published(kept)
    eight = away / "000000000008.json"
    rekeyed(kept, f"revoked_as_of: '{kept.ledger.now().isoformat()}', reason: stolen")
    head = heads.parse(eight.read_bytes(), publish.signers(kept.governance))[0]
    later = head.model_copy(update={"time": kept.ledger.now()})
    eight.chmod(0o644)
    eight.write_bytes(canonical_json(heads.sign(later, kept.key("old-ledger"))))
    append(kept, 1)
    with pytest.raises(Refused, match="has another head of 8 entries than was signed here"):
        published(kept)


@pytest.mark.attack(rights="disk", stopped="the signature of the ledger's key")
def test_what_only_says_that_a_revoked_key_signed_it_is_wrong(kept: House, away: Path) -> None:
    six = away / "000000000006.json"
    signed = json.loads(six.read_bytes())
    rekeyed(kept, "revoked_as_of: 2026-01-01, reason: stolen")
    signed["signatures"][0]["sig"] = other_key_signature(kept, signed)
    six.chmod(0o644)
    six.write_bytes(canonical_json(signed))
    assert "the signature does not match what was signed" in said(kept, "wrong")


def other_key_signature(house: House, envelope: dict) -> str:
    return dsse.sign(dsse.peek(envelope), house.key("owner"))["signatures"][0]["sig"]


@pytest.mark.attack(rights="database", stopped="a new head is of entries numbered without a gap")
def test_an_entry_numbered_twice_after_the_last_head_stops_the_next(kept: House) -> None:
    edit(kept, *UNTYPED, "UPDATE hallmark_ledger SET seq = 8 WHERE seq = 7")
    with pytest.raises(Refused, match="was rewritten: entry 7 is missing"):
        published(kept)


def test_another_head_that_came_to_a_place_meanwhile_is_told(kept: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written over, so what is there afterwards is compared."""
    add = Folder.add

    def raced(self: Folder, given: dict[int, bytes]) -> None:
        add(self, dict.fromkeys(given, b"{}") if self.name != publish.local(kept.governance).name else given)
        add(self, given)

    monkeypatch.setattr(Folder, "add", raced)
    with pytest.raises(Refused, match="has another head of 8 entries than was signed here"):
        published(kept)


@pytest.mark.parametrize(
    ("kind", "subject"), [("urn:hallmark:other:v1", "ledger"), (heads.HEAD, "another")], ids=["type", "subject"]
)
def test_another_statement_by_the_ledgers_key_is_no_head(kept: House, kind: str, subject: str) -> None:
    head = publish.newest(kept.governance)
    assert head is not None
    envelope = dsse.sign(dsse.statement(kind, {subject: head.root}, head.model_dump(mode="json")), kept.key("ledger"))
    with pytest.raises(Refused, match="a signed statement that is no head"):
        heads.verify(envelope, publish.signers(kept.governance))


def test_a_key_that_ended_before_its_successor_was_adopted_stops_nothing(kept: House, away: Path) -> None:
    """`identity create ledger --replace` ends it at once, and heads go on being signed with it until the adoption."""
    rekeyed(kept, "valid_before: 2026-01-01")
    assert published(kept).void == 2 and verified(kept).anchored == 8
    (kept.state / "keys" / "ledger").unlink()
    (kept.state / "keys" / "old-ledger").rename(kept.state / "keys" / "ledger")
    append(kept, 1)
    with pytest.raises(Refused, match="So no head is signed: put the private key that counts in the place of"):
        published(kept)
    assert publish.publish_grown(kept.ledger, kept.governance)


def test_no_key_says_what_to_do(kept: House) -> None:
    (kept.state / "keys" / "ledger").unlink()
    with pytest.raises(InputError, match="the private key of ledger is wanted"):
        published(kept)


@pytest.mark.parametrize("words", ["s3://", "s3:///x"])
def test_a_place_that_is_none_is_a_mistake_of_whoever_set_it(
    kept: House, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setenv(publish.PLACES, words)
    with pytest.raises(InputError, match="HALLMARK_LEDGER_HEADS"):
        published(kept)


class TestGit:
    @pytest.fixture
    def remote(self, tmp_path: Path, house: House, monkeypatch: pytest.MonkeyPatch) -> Path:
        folder = tmp_path / "remote.git"
        git(tmp_path, "init", "--quiet", "--bare", str(folder))
        monkeypatch.setenv(publish.PLACES, str(folder))
        append(house, 3)
        published(house)
        append(house, 2)
        return folder

    def test_each_head_is_a_commit(self, house: House, remote: Path) -> None:
        assert published(house).delivered == {str(remote): 1}
        assert git(remote, "log", "--format=%s", "refs/hallmark/ledger") == "Ledger of 5 entries\nLedger of 3 entries"
        head = git(remote, "show", "refs/hallmark/ledger:head.json")
        assert heads.parse(head.encode(), publish.signers(house.governance))[0].size == 5
        assert published(house).delivered == {str(remote): 0} and verified(house).anchored == 5

    def test_what_is_changed_shows(self, house: House, remote: Path) -> None:
        published(house)
        shutil.rmtree(house.state / "heads")
        edit(house, "UPDATE hallmark_ledger SET subject = 'other' WHERE seq = 1")
        assert verified(house).verdict == "wrong"

    def test_another_machine_that_pushed_meanwhile_is_taken_up(
        self, house: House, remote: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from tasks.ledger.heads.places.git import Git

        fetch, calls = Git._fetch, []

        def late(self: Git) -> None:
            fetch(self)
            calls.append(1)
            if len(calls) == 2:  # after the place was looked at and fetched for the push
                tree = git(remote, "rev-parse", "refs/hallmark/ledger^{tree}")
                commit = git(remote, "commit-tree", tree, "-p", "refs/hallmark/ledger", "-m", "Ledger of 4 entries")
                git(remote, "update-ref", "refs/hallmark/ledger", commit)

        monkeypatch.setattr(Git, "_fetch", late)
        assert published(house).delivered == {str(remote): 1}
        assert git(remote, "log", "--format=%s", "refs/hallmark/ledger").splitlines()[:2] == [
            "Ledger of 5 entries", "Ledger of 4 entries",
        ]  # fmt: skip

    def test_a_history_that_was_rewritten_is_refused(self, house: House, remote: Path) -> None:
        published(house)
        git(remote, "update-ref", "refs/hallmark/ledger", "refs/hallmark/ledger^")
        assert "was rewritten" in said(house, "wrong")
        tree = git(remote, "rev-parse", "refs/hallmark/ledger^{tree}")
        git(remote, "update-ref", "refs/hallmark/ledger", git(remote, "commit-tree", tree, "-m", "anew"))
        append(house, 1)
        with pytest.raises(Refused, match="was rewritten"):
            published(house)
        git(remote, "update-ref", "-d", "refs/hallmark/ledger")
        with pytest.raises(Refused, match="is gone"):
            published(house)

    def test_a_remote_that_is_away_is_retried(self, house: House, remote: Path, tmp_path: Path) -> None:
        remote.rename(tmp_path / "gone.git")
        assert "git ls-remote failed" in published(house).away[0]
        (tmp_path / "gone.git").rename(remote)
        assert published(house).delivered == {str(remote): 1}

    def test_a_password_in_a_url_stays_secret(self, house: House, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(publish.PLACES, "http://anna:s3cret@127.0.0.1:9/heads")
        append(house, 1)
        (told,) = published(house).away
        assert "127.0.0.1:9/heads" in told and "s3cret" not in told


def git(folder: Path, *args: str) -> str:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid"]
    done = subprocess.run(["git", *identity, *args], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_folder_that_cannot_be_written_is_away(kept: House, away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(publish.PLACES, f"{away} /proc/heads")
    done = published(kept)
    assert done.delivered == {str(away): 1} and len(done.away) == 1 and "/proc/heads cannot be used" in done.away[0]
    with pytest.raises(Unavailable):
        publish.places(kept.governance)[1].add({1: b"x"})
