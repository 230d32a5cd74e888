"""What is attached to an entry: packed small, covered by everything that covers the entry, and not to be changed."""

import json
import random
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import InputError, Refused
from tasks.gates import cases
from tasks.gates.evidence import Evidence, evidence_bytes
from tasks.ledger import attachments
from tasks.ledger import export as ledger_export
from tasks.ledger import proof as ledger_proof
from tasks.ledger.heads import publication
from tasks.ledger.ledger import Ledger, open_ledger
from tests.governed.house import House, put_result
from tests.ledger.publishing import edit, published, rewrite, said, verified


@pytest.fixture
def asked(house: House) -> House:
    """Two gates asked and one closed, in 7 entries under a published head. Evidence is attached to entries 2 and 4."""
    house.ask(run="run-1")
    second = house.ask(run="run-2")
    house.decide(second, "owner")
    house.settle(second)
    house.ledger.append("a.b", "about", {})
    published(house)
    return house


def test_documents_come_back_as_they_were(ledger: Ledger, tmp_path: Path) -> None:
    given = [b"", b"{}", random.Random(1).randbytes(3000), *(b"%d" % n for n in range(600))]
    entries = [ledger.append("a", "x", {"n": n}, one) for n, one in enumerate(given)]
    assert ledger.documents(entries) == given and open_ledger(tmp_path).documents(entries[::-1]) == given[::-1]
    assert [kept.document for kept in ledger.rows_with_documents(upto=ledger.last_seq())] == given


def test_what_was_packed_against_a_dictionary_cannot_be_read() -> None:
    """Some versions before the first release did so; whoever opens such a ledger is told that the entry was changed."""
    packer = zlib.compressobj(9, zdict=b"approved_by requested_by")
    assert attachments.decompress_document(packer.compress(b"requested_by") + packer.flush()) == b""


def test_evidence_takes_half_of_its_bytes(house: House) -> None:
    document = evidence_bytes(house.collect())
    assert len(attachments.compress_document(document)) < len(document) / 2


def test_what_is_too_long_is_refused_and_nothing_recorded(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "MAX_DOCUMENT_BYTES", 100)
    with pytest.raises(InputError, match="101 bytes are to be attached"):
        ledger.append("a", "x", {}, bytes(101))
    assert ledger.entries() == [] and ledger.count_documents() == 0


UPDATE = "UPDATE hallmark_ledger_attached SET data = {} WHERE seq = {}"
INSERT = "INSERT INTO hallmark_ledger_attached SELECT {}, data FROM hallmark_ledger_attached WHERE seq = 2"
DELETE = "DELETE FROM hallmark_ledger_attached"
FORGED = {
    "changed": (
        UPDATE.format(f"X'{attachments.compress_document(b'{}').hex()}'", 2),
        "entry 2 of the ledger was changed",
    ),
    "swapped": (
        UPDATE.format("(SELECT data FROM hallmark_ledger_attached WHERE seq = 2)", 4),
        "entry 4 of the ledger was",
    ),
    "not packed": (UPDATE.format("X'00'", 2), "entry 2 of the ledger was changed"),
    "no bytes": (UPDATE.format("'text'", 4), "entry 4 of the ledger was changed"),
    "longer": (UPDATE.format("data || X'00'", 2), "entry 2 of the ledger was changed"),
    "a bomb": (
        UPDATE.format(f"X'{attachments.compress_document(bytes(65 * 2**20)).hex()}'", 2),
        "entry 2 of the ledger was changed",
    ),
    "missing": (f"{DELETE} WHERE seq = 4", "what is attached to entry 4 of the ledger is missing"),
    "all missing": (DELETE, "what is attached to entry 2 of the ledger is missing"),
    "added": (INSERT.format(7), "something is attached to entry 7 of the ledger that it does not name"),
    "added to nothing": (INSERT.format(99), "3 documents are attached, and 2 of them to an entry"),
}


@pytest.mark.attack(rights="database", stopped="an entry has the digest of what is attached to it, and `ledger verify`")
@pytest.mark.parametrize("forgery", FORGED)
def test_an_attachment_that_is_changed_shows(asked: House, tmp_path: Path, forgery: str) -> None:
    assert verified(asked).verdict == "holds"
    change, why = FORGED[forgery]
    edit(asked, change)
    assert why in said(asked, "wrong")
    assert "taken off: hallmark_ledger_no_update" in said(asked, "told")
    if forgery not in ("added", "added to nothing"):
        with pytest.raises(Refused, match=r"what is attached to entry \d"):
            cases.read_cases(asked.ledger)
    if forgery != "added to nothing":
        path = tmp_path / "ledger.jsonl"
        ledger_export.export_ledger(asked.ledger, asked.governance, path)
        assert ledger_export.verify_export(path, publication.ledger_keys(asked.governance)).verdict == "wrong"


@pytest.mark.attack(rights="database", stopped="triggers on the table")
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE hallmark_ledger_attached SET data = X'00'",
        "UPDATE OR REPLACE hallmark_ledger_attached SET seq = 4 WHERE seq = 2",
        "DELETE FROM hallmark_ledger_attached",
        "INSERT OR REPLACE INTO hallmark_ledger_attached VALUES (4, X'00')",
        "INSERT INTO hallmark_ledger_attached VALUES (3, X'00')",
        "INSERT INTO hallmark_ledger_attached VALUES (99, X'00')",
    ],
)
def test_triggers_stop_every_way_to_change_it(asked: House, change: str) -> None:
    before = cases.read_cases(asked.ledger)
    connection = sqlite3.connect(asked.state / "ledger.db")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(change)
    connection.close()
    assert cases.read_cases(asked.ledger) == before


def test_the_last_entrys_attachment_cannot_be_replaced(house: House) -> None:
    house.ask()
    connection = sqlite3.connect(house.state / "ledger.db")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute("INSERT OR REPLACE INTO hallmark_ledger_attached VALUES (2, X'00')")
    connection.close()


@pytest.mark.attack(rights="database", stopped="which gates stand open is compared with the entries by `ledger verify`")
@pytest.mark.parametrize(
    "change", ["DELETE FROM hallmark_ledger_open", "INSERT INTO hallmark_ledger_open VALUES (4, 'x')"]
)
def test_a_gate_hidden_or_shown_again_shows(asked: House, change: str) -> None:
    edit(asked, change)
    assert "of the gates that stand open is not theirs" in said(asked, "wrong")


def test_an_export_has_the_evidence_as_it_is(asked: House, tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger_export.export_ledger(asked.ledger, asked.governance, path)
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    texts = [line["attached"] for line in lines if "attached" in line]
    assert [Evidence.model_validate_json(text).run for text in texts] == ["run-1", "run-2"]
    report = ledger_export.verify_export(path, publication.ledger_keys(asked.governance))
    assert (report.verdict, report.entries) == ("holds", 7)


@pytest.mark.parametrize(
    "forge",
    [
        lambda found, at: found.pop(at),
        lambda found, at: found.insert(at, found[at]),
        lambda found, at: found.__setitem__(at, found[at].replace(b"run-1", b"run-7")),
        lambda found, at: found.__setitem__(at, found[at].replace(b'{"attached":', b'{"attached": ')),
        lambda found, at: found.__setitem__(at, b'{"attached":1}'),
        lambda found, at: found.append(found[at]),
    ],
)  # fmt: skip
def test_a_changed_attachment_of_an_export_is_refused(
    asked: House, tmp_path: Path, forge: Callable[[list[bytes], int], None]
) -> None:
    path = tmp_path / "ledger.jsonl"
    ledger_export.export_ledger(asked.ledger, asked.governance, path)
    first = next(at for at, line in enumerate(path.read_bytes().splitlines()) if line.startswith(b'{"attached"'))
    rewrite(path, lambda found: forge(found, first))
    try:
        assert ledger_export.verify_export(path, publication.ledger_keys(asked.governance)).verdict == "wrong"
    except Refused as error:
        assert "line" in str(error)


def test_a_proof_has_what_is_attached_and_holds_for_nothing_else(asked: House) -> None:
    keys = publication.ledger_keys(asked.governance)
    proof: dict[str, Any] = json.loads(
        ledger_proof.prove_inclusion(asked.ledger, asked.governance, 4).model_dump_json()
    )
    assert Evidence.model_validate_json(proof["attached"]).run == "run-2"
    assert "entry 4, gate.asked of" in ledger_proof.verify_proof(ledger_proof.parse_proof(proof), keys)
    for other in (None, "", proof["attached"].replace("run-2", "run-3"), "\ud800"):
        with pytest.raises(Refused, match=r"what is attached to entry 4|no proof"):
            ledger_proof.verify_proof(ledger_proof.parse_proof(proof | {"attached": other}), keys)
    plain = json.loads(ledger_proof.prove_inclusion(asked.ledger, asked.governance, 7).model_dump_json())
    with pytest.raises(Refused, match="something is attached to entry 7"):
        ledger_proof.verify_proof(ledger_proof.parse_proof(plain | {"attached": "more"}), keys)


def test_what_is_asked_again_takes_the_place_of_what_was(house: House) -> None:
    house.ask(run="run-1")
    put_result(house.layout.artefacts("split"), train_rows=300)
    again = house.ask(run="run-1")
    assert cases.open_evidence(house.ledger) == [again]
    cases.record_closing(house.ledger, cases.read_cases(house.ledger)[0], "expired")
    assert cases.open_evidence(house.ledger) == [again], "what was closed is not what stands open"
    cases.record_closing(house.ledger, cases.current_case(house.ledger, again), "expired")
    assert cases.open_evidence(house.ledger) == [] and verified(house).verdict == "holds"
