"""Proofs and exports: what a stranger can check, and what is refused."""

import contextlib
import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import InputError, Refused
from tasks.core.json_text import canonical_json
from tasks.ledger import export as ledger_export
from tasks.ledger import ledger_verification as ledger_check
from tasks.ledger import proof as ledger_proof
from tasks.ledger.heads import publication
from tasks.ledger.proof import InclusionProof
from tasks.policy.people import Machine
from tasks.trust import keys
from tasks.trust.validity import Key
from tests.governed.house import House
from tests.ledger.publishing import append, edit, published, rewrite


@pytest.fixture
def signed(house: House) -> House:
    """11 entries, heads of 4 and 9."""
    append(house, 4)
    published(house)
    append(house, 5)
    published(house)
    append(house, 2)
    return house


def known(house: House) -> list[Key]:
    return publication.ledger_keys(house.governance)


def head_file(house: House, size: int) -> dict[str, Any]:
    return json.loads((house.state / "heads" / f"{size:012d}.json").read_bytes())


def stored(proof: ledger_proof.Proof) -> dict[str, Any]:
    """A proof as it lies in a file."""
    return json.loads(proof.model_dump_json())


@pytest.mark.parametrize("seq", range(1, 10))
def test_every_entry_under_the_head_is_proved(signed: House, seq: int) -> None:
    proof = stored(ledger_proof.prove_inclusion(signed.ledger, signed.governance, seq))
    said = ledger_proof.verify_proof(ledger_proof.parse_proof(proof), known(signed))
    assert f"entry {seq}, a.b of" in said and "9 entries" in said


@pytest.mark.parametrize("seq", [0, -1, 10, 11, 12])
def test_an_entry_that_no_head_covers_cannot_be_proved(signed: House, seq: int) -> None:
    with pytest.raises(InputError, match="covers entries 1 to 9"):
        ledger_proof.prove_inclusion(signed.ledger, signed.governance, seq)


def test_without_a_head_there_is_nothing_to_prove_by(house: House) -> None:
    append(house, 1)
    with pytest.raises(InputError, match="hallmark ledger publish"):
        ledger_proof.prove_inclusion(house.ledger, house.governance, 1)


def test_an_older_head_is_shown_to_be_the_beginning(signed: House) -> None:
    for old in (4, 9):
        made = ledger_proof.prove_consistency(signed.ledger, signed.governance, head_file(signed, old))
        said = ledger_proof.verify_proof(ledger_proof.parse_proof(stored(made)), known(signed))
        assert f"the head of {old} entries" in said and "is the beginning of" in said


def test_a_changed_ledger_proves_nothing(signed: House) -> None:
    edit(signed, "UPDATE hallmark_ledger SET body = '{}' WHERE seq = 6")
    with pytest.raises(Refused, match="does not show that this is entry 7"):
        ledger_proof.prove_inclusion(signed.ledger, signed.governance, 7)
    with pytest.raises(Refused, match="does not go on from"):
        ledger_proof.prove_consistency(signed.ledger, signed.governance, head_file(signed, 4))
    edit(signed, "DELETE FROM hallmark_ledger WHERE seq > 6")
    with pytest.raises(Refused, match="fewer entries than its newest head"):
        ledger_proof.prove_inclusion(signed.ledger, signed.governance, 5)


def change(where: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda proof: proof["entry"].update({where: value})


@pytest.mark.parametrize(
    "forge",
    [
        change("body", "{}"),
        change("subject", "subject 7"),
        change("kind", "a.c"),
        change("time", "2026-01-01T00:00:00.000000Z"),
        change("seq", 5),
        change("seq", "3"),
        change("seq", 0),
        change("extra", 1),
        lambda proof: proof["path"].pop(),
        lambda proof: proof["path"].append("0" * 64),
        lambda proof: proof["path"].reverse(),
        lambda proof: proof["path"].__setitem__(0, "no digest"),
        lambda proof: proof["head"].update(signatures=[]),
        lambda proof: proof.update(type="urn:hallmark:ledger-consistency:v1"),
        lambda proof: proof.update(type="another"),
        lambda proof: proof.clear(),
    ],
)
def test_a_forged_proof_is_refused(signed: House, forge: Callable[[dict[str, Any]], None]) -> None:
    proof = stored(ledger_proof.prove_inclusion(signed.ledger, signed.governance, 3))
    forge(proof)
    with pytest.raises(Refused):
        ledger_proof.verify_proof(ledger_proof.parse_proof(proof), known(signed))


def test_a_proof_under_a_head_of_somebody_elses_is_refused(signed: House) -> None:
    proof = ledger_proof.prove_inclusion(signed.ledger, signed.governance, 3)
    stranger = signed.key("owner").public_line
    with pytest.raises(Refused, match="signed by"):
        ledger_proof.verify_proof(proof, [Key(public_key=stranger)])
    assert isinstance(proof, InclusionProof) and ledger_proof.verify_proof(
        proof, [Key(public_key=stranger), *known(signed)]
    )


@pytest.fixture
def file(signed: House, tmp_path: Path) -> Path:
    path = tmp_path / "ledger.jsonl"
    header = ledger_export.export_ledger(signed.ledger, signed.governance, path).header
    assert (header.entries, header.heads) == (11, 2)
    return path


def test_an_export_verifies_with_the_public_key_alone(signed: House, file: Path) -> None:
    line = known(signed)[0].public_key
    for key in (line, keys.fingerprint(line)):
        report = ledger_export.verify_export(file, [key])
        assert (report.verdict, report.entries, report.anchored) == ("holds", 11, 9)
    told = " ".join(finding.text for finding in report.findings if finding.verdict == "told")
    assert "entries 10 to 11 came after" in told and "cannot be seen from the file" in told


def test_the_lines_of_an_export_are_what_is_hashed(signed: House, file: Path) -> None:
    """As docs/concepts/ledger.md says, so that anybody can write a verifier of their own."""
    entries = file.read_bytes().splitlines()[3:]
    hashes = [hashlib.sha256(b"\0" + line).digest() for line in entries]
    assert hashes == [row.leaf_hash() for row in signed.ledger.rows()]
    assert list(json.loads(entries[0])) == ["body", "kind", "seq", "subject", "time", "type"]


@pytest.mark.parametrize(
    "forge",
    [
        lambda found: found.pop(),
        lambda found: found.pop(5),
        lambda found: found.pop(1),
        lambda found: found.insert(6, found[6]),
        lambda found: found.__setitem__(6, found[6].replace(b"subject", b"SUBJECT")),
        lambda found: found.__setitem__(6, found[6].replace(b":", b": ", 1)),
        lambda found: found.__setitem__(6, b"{}"),
        lambda found: found.__setitem__(6, b"[" * 100_000),
        lambda found: found.__setitem__(6, b"\xff"),
        lambda found: found.__setitem__(slice(4, 6), [found[5], found[4]]),
        lambda found: found.__setitem__(1, found[1].replace(b"sig", b"gis")),
        lambda found: found.__setitem__(0, b"{}"),
        lambda found: found.__setitem__(0, found[0].replace(b":2", b":0")),
        lambda found: found.__setitem__(0, found[0].replace(b"v1", b"v2")),
        lambda found: found.clear(),
    ],
)
def test_a_changed_export_is_refused(signed: House, file: Path, forge: Callable[[list[bytes]], None]) -> None:
    rewrite(file, forge)
    with contextlib.suppress(Refused):
        assert ledger_export.verify_export(file, known(signed)).verdict == "wrong"


@pytest.mark.parametrize(
    ("number", "old", "new", "told"),
    [
        (0, b'"entries":11', b'"entries":"11"', "entries: Input should be a valid integer"),
        (0, b'{"entries":11', b'{"entries":3,"entries":11', "not in canonical form"),
        (0, b":", b": ", "not in canonical form"),
        (0, b"{", b'{"also":1,', "also: Extra inputs are not permitted"),
        (1, b'"where"', b'"when"', "where: Field required"),
        (1, b'"where"', b'"what":1,"where"', "what: Extra inputs are not permitted"),
        (1, b'{"head"', b'{"head":{},"head"', "not in canonical form"),
        (2, b'"where":', b'"where":{},"x":', "where: Input should be a valid string"),
        (2, b'"where":', b'"where":1' + b"0" * 400 + b',"x":', "where: Input should be a valid string"),
        (2, b'{"head"', b' {"head"', "not in canonical form"),
    ],
)
def test_nothing_more_stands_in_a_line_of_an_export(
    signed: House, file: Path, number: int, old: bytes, new: bytes, told: str
) -> None:
    """Nothing covers the lines before the entries, so that each has one form."""
    rewrite(file, lambda found: found.__setitem__(number, found[number].replace(old, new, 1)))
    with pytest.raises(Refused, match=re.escape(told)):
        ledger_export.verify_export(file, known(signed))


@pytest.mark.timeout(10)
@pytest.mark.parametrize("read", [ledger_proof.read_proof, lambda path: ledger_export.verify_export(path, [])])
def test_a_pipe_in_place_of_a_file_holds_nobody_up(tmp_path: Path, read: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises((OSError, InputError), match="it is no file"):
        read(tmp_path / "pipe")


def test_an_export_of_another_ledger_with_a_key_of_its_own_is_refused(signed: House, file: Path) -> None:
    """Whoever makes a ledger up can sign it, but not with the key that the reader knows."""
    stranger = signed.key("owner").public_line
    mark = keys.fingerprint(stranger)
    with pytest.raises(Refused, match="no key with the fingerprint"):
        ledger_export.verify_export(file, [mark])
    header = json.loads(file.read_bytes().splitlines()[0])
    rewrite(file, lambda found: found.__setitem__(0, canonical_json({**header, "keys": [stranger]})))
    report = ledger_export.verify_export(file, [mark])
    assert report.verdict == "wrong" and "no head in the file is signed" in str(report.findings)


@pytest.mark.parametrize("key", ["ssh-rsa AAAA", "SHA256", ""])
def test_a_key_that_is_none_is_an_input_error(signed: House, file: Path, key: str) -> None:
    with pytest.raises(InputError, match="expected one OpenSSH public key line"):
        ledger_export.verify_export(file, [key])


def test_heads_of_a_key_count_until_it_is_revoked(signed: House) -> None:
    """One that took its place goes on from them."""
    line, own = known(signed)[0].public_key, signed.governance.people
    new = keys.create_key_pair(signed.state / "keys", "newer")
    now = signed.ledger.now()
    revoked = Key(public_key=line, revoked_as_of=now, reason="laptop stolen")
    machines = {"ledger": Machine(keys=[revoked, Key(public_key=new)])}
    people = own.model_copy(update={"machines": own.machines | machines})
    (signed.state / "keys" / "newer").replace(signed.state / "keys" / "ledger")
    later = dataclasses.replace(signed.governance, people=people)
    done = publication.publish(signed.ledger, later)
    assert done.newest_head is not None and done.newest_head.size == 11
    assert ledger_check.verify_ledger(signed.ledger, later).verdict == "holds"
    assert ledger_proof.prove_inclusion(signed.ledger, later, 3).key == keys.strip_comment(new)
    early = Key(public_key=line, revoked_as_of=signed.ledger.entries()[0].time, reason="laptop stolen")
    people = own.model_copy(update={"machines": own.machines | {"ledger": Machine(keys=[early, Key(public_key=new)])}})
    found = ledger_check.verify_ledger(signed.ledger, dataclasses.replace(signed.governance, people=people))
    assert (found.verdict, found.anchored) == ("holds", 11), "by the newer key's head alone"
    assert "laptop stolen" in str([finding for finding in found.findings if finding.verdict == "told"])
