"""Heads that do not count: forged, of another ledger, or by a key that was revoked."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tasks.core.errors import Refused
from tasks.core.json_text import canonical_json
from tasks.ledger.heads import heads, publication
from tasks.trust import dsse, keys
from tests.governed.house import PEOPLE, House, reload
from tests.ledger.publishing import append, published, said, verified

FORGED_HEAD = pytest.mark.attack(rights="disk", stopped="the signature of the ledger's key")


def forged(house: House, size: int, **changes: object) -> bytes:
    """A head of the ledger as it is, but for `changes`, signed with the ledger's key."""
    tree = publication.newest_head(house.governance)
    assert tree is not None
    head = tree.model_copy(update={"size": size, **changes})
    statement = dsse.make_statement(heads.HEAD_TYPE, {"ledger": head.root}, head.model_dump(mode="json"))
    return canonical_json(dsse.sign_statement(statement, house.key("ledger")))


def other_key(house: House, data: bytes) -> bytes:
    return canonical_json(dsse.sign_statement(dsse.unverified_statement(json.loads(data)), house.key("owner")))


def dated(data: bytes, time: str) -> bytes:
    """A head with another time under the signature as it was: that is looked at before the signature can be."""
    envelope = json.loads(data)
    statement = dsse.unverified_statement(envelope)
    statement["predicate"]["time"] = time
    return canonical_json(envelope | {"payload": base64.b64encode(canonical_json(statement)).decode()})


def signed_by(data: bytes, who: object) -> bytes:
    envelope = json.loads(data)
    envelope["signatures"][0]["keyid"] = who
    return canonical_json(envelope)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        pytest.param(other_key, "signed by", id="signed with another key", marks=FORGED_HEAD),
        (lambda house, data: data[:-20], "no signed statement can be read"),
        (lambda house, data: data + b"\n", "not in canonical form"),
        (lambda house, data: b"", "no signed statement can be read"),
        (lambda house, data: b"[" * 100_000, "no signed statement can be read"),
        (lambda house, data: b"[]", "not in canonical form"),
        (lambda house, data: forged(house, 6, ledger="0" * 64), "entries 1 to 6 are not those that it was signed over"),
        (lambda house, data: dated(data, "0001-01-01T00:00:00+14:00"), "expected a time in the years 1 to 9999"),
        (lambda house, data: dated(data, "9999-12-31T23:59:59-14:00"), "expected a time in the years 1 to 9999"),
        (lambda house, data: signed_by(data, 1), "not in its canonical spelling"),
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


def rekeyed(house: House, ended: str) -> None:
    """Another key of the ledger's is adopted, and the one before has ended or is revoked."""
    old, folder = house.line("ledger"), house.state / "keys"
    (folder / "ledger").rename(folder / "old-ledger")
    (folder / "ledger.pub").rename(folder / "old-ledger.pub")
    keys.create_key_pair(folder, "ledger")
    held = f"[{{public_key: '{old}', {ended}}}, '{house.line('ledger')}']"
    reload(house, people=PEOPLE + f"machines: {{ledger: {{keys: {held}}}}}\n")


@pytest.mark.attack(rights="disk", stopped="heads by a revoked key count for nothing")
def test_heads_of_a_revoked_key_do_not_count_and_the_next_goes_on_from_those_before(kept: House, away: Path) -> None:
    three = heads.parse_head((away / "000000000003.json").read_bytes(), publication.ledger_keys(kept.governance))[0]
    rekeyed(kept, f"revoked_as_of: '{three.time + timedelta(microseconds=1)}', reason: stolen")
    report = verified(kept)
    assert (report.verdict, report.anchored) == ("holds", 3)
    assert said(kept, "told").count("1 signed heads in") == 2 and "is revoked as of" in said(kept, "told")
    done = published(kept)
    assert (done.delivered, done.void_heads, done.newest_head and done.newest_head.size) == ({str(away): 1}, 1, 8)
    assert verified(kept).anchored == 8 and "lacks" not in said(kept, "told")
    assert published(kept).delivered == {str(away): 0}


@pytest.mark.attack(rights="disk", stopped="a void head in the place of a good one is another head")
def test_a_revoked_key_replaces_no_head(kept: House, away: Path) -> None:
    published(kept)
    eight = away / "000000000008.json"
    rekeyed(kept, f"revoked_as_of: '{kept.ledger.now().isoformat()}', reason: stolen")
    head = heads.parse_head(eight.read_bytes(), publication.ledger_keys(kept.governance))[0]
    later = head.model_copy(update={"time": kept.ledger.now()})
    eight.chmod(0o644)
    eight.write_bytes(canonical_json(heads.sign_head(later, kept.key("old-ledger"))))
    append(kept, 1)
    with pytest.raises(Refused, match="has another head of 8 entries than was signed here"):
        published(kept)


@pytest.mark.attack(rights="disk", stopped="the signature of the ledger's key")
def test_what_only_says_that_a_revoked_key_signed_it_is_wrong(kept: House, away: Path) -> None:
    six = away / "000000000006.json"
    signed = json.loads(six.read_bytes())
    rekeyed(kept, "revoked_as_of: 2026-01-01, reason: stolen")
    signed["signatures"][0]["sig"] = json.loads(other_key(kept, six.read_bytes()))["signatures"][0]["sig"]
    six.chmod(0o644)
    six.write_bytes(canonical_json(signed))
    assert "the signature does not match what was signed" in said(kept, "wrong")


@pytest.mark.parametrize(
    ("kind", "subject"), [("urn:hallmark:other:v1", "ledger"), (heads.HEAD_TYPE, "another")], ids=["type", "subject"]
)
def test_another_statement_by_the_ledgers_key_is_no_head(kept: House, kind: str, subject: str) -> None:
    head = publication.newest_head(kept.governance)
    assert head is not None
    envelope = dsse.sign_statement(
        dsse.make_statement(kind, {subject: head.root}, head.model_dump(mode="json")), kept.key("ledger")
    )
    with pytest.raises(Refused, match="a signed statement that is no head"):
        heads.verify_head(envelope, publication.ledger_keys(kept.governance))


def test_a_key_that_ended_before_its_successor_was_adopted_stops_nothing(kept: House) -> None:
    """`identity create ledger --replace` ends it at once, and heads go on being signed with it until the adoption."""
    rekeyed(kept, "valid_before: 2026-01-01")
    assert published(kept).void_heads == 2 and verified(kept).anchored == 8
    (kept.state / "keys" / "ledger").unlink()
    (kept.state / "keys" / "old-ledger").rename(kept.state / "keys" / "ledger")
    append(kept, 1)
    with pytest.raises(Refused, match="So no head is signed: put the private key that counts in the place of"):
        published(kept)
    assert publication.publish_if_changed(kept.ledger, kept.governance)
