"""`hallmark ledger`, as a person and as a stranger with a file and a fingerprint."""

import json
import sqlite3
from pathlib import Path

import pytest

from tasks.ledger.ledger import open_ledger
from tasks.trust import keys
from tests.copies import copy_tree
from tests.in_process import hallmark, hallmark_json, run_command
from tests.ledger_tampering import mend, unguard
from tests.tiny_project import REPR


@pytest.fixture(scope="module")
def made(project: Path) -> Path:
    # `init` proposed and adopted what is in force: entries 1 and 2.
    ledger = open_ledger(project / ".hallmark")
    for number in range(5):
        ledger.append("gate.closed", f"run-{number}", {"gate": "data", "state": "passed", "person": f"p{number % 2}"})
    ledger.append("data.shown", "0" * 64, {"run": "run-3", "reason": "because"})
    return project


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """An empty folder of a stranger's, with no project in it."""
    folder = tmp_path / "outside"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def fingerprint(made: Path) -> str:
    return keys.fingerprint((made / ".hallmark" / "keys" / "ledger.pub").read_text().strip())


def test_it_shows_what_fits(made: Path) -> None:
    def seqs(*filters: str) -> list[int]:
        return [entry["seq"] for entry in hallmark_json(made, "ledger", "list", *filters)]

    assert seqs() == [1, 2, 3, 4, 5, 6, 7, 8] and seqs("--last", "2") == [7, 8] and seqs("--last", "0") == seqs()
    assert seqs("--kind", "gate") == seqs("--kind", "gate.closed") == [3, 4, 5, 6, 7]
    assert seqs("--run", "run-3") == [6, 8] and seqs("--person", "p1") == [4, 6] and seqs("--subject", "000") == [8]
    assert seqs("--since", "2999-01-01") == [] and seqs("--until", "2999-01-01") == seqs()
    told = hallmark(made, "ledger", "list", "--last", "1")
    assert "data.shown" in told and "run=run-3" in told and "000000000000…" in told and "--last 0 shows all" in told
    assert hallmark_json(made, "ledger", "show", "8")["body"] == {"run": "run-3", "reason": "because"}
    for number in ("9", "0", "9" * 23):
        assert f"no entry {number}; the last one is 8" in hallmark(made, "ledger", "show", number, code=2)
    assert seqs("--last", "9" * 23) == seqs()


def test_a_stranger_checks_a_proof_and_an_export(made: Path, outside: Path, fingerprint: str) -> None:
    assert "names no place" in hallmark(made, "ledger", "publish")
    proof = hallmark_json(made, "ledger", "prove", "6")
    (outside / "proof.json").write_text(json.dumps(proof))
    assert "entry 6, gate.closed" in hallmark(outside, "ledger", "verify-proof", "proof.json", "--key", fingerprint)
    proof["entry"]["subject"] = "run-9"
    (outside / "proof.json").write_text(json.dumps(proof))
    assert "does not show" in hallmark(outside, "ledger", "verify-proof", "proof.json", "--key", fingerprint, code=1)
    head = next((made / ".hallmark" / "heads").rglob("*.json"))
    (outside / "since.json").write_text(json.dumps(hallmark_json(made, "ledger", "prove", "--since", str(head))))
    assert "covers is the beginning of what" in hallmark(
        outside, "ledger", "verify-proof", "since.json", "--key", fingerprint
    )
    told = hallmark(made, "ledger", "export", str(outside / "all.jsonl"))
    assert "8 entries and 1 signed heads" in told and "ssh-ed25519" in told
    verify = ("ledger", "verify", "--file", "all.jsonl", "--key")
    assert "the ledger holds" in hallmark(outside, *verify, fingerprint)
    assert "Give --key" in hallmark(outside, *verify[:-1], code=2)
    wrong = keys.fingerprint(keys.create_key_pair(outside, "another"))
    assert "no key with the fingerprint" in hallmark(outside, *verify, wrong, code=1)
    text = (outside / "all.jsonl").read_text()
    (outside / "all.jsonl").write_text(text.replace("run-3", "run-4", 1))
    assert "does NOT hold" in hallmark(outside, *verify, fingerprint, code=1)


def write(project: Path, statement: str, mended: bool = False) -> None:
    """Change the ledger by hand, and if wanted all that would show it in the database."""
    with sqlite3.connect(project / ".hallmark" / "ledger.db") as connection:
        unguard(connection)
        connection.execute(statement)
        if mended:
            mend(connection)
    connection.close()


def test_a_ledger_changed_by_hand_is_told(made: Path, tmp_path: Path) -> None:
    folder = copy_tree(made, tmp_path / "copy")
    hallmark(folder, "ledger", "publish")
    assert hallmark_json(folder, "ledger", "verify")["verdict"] == "holds"
    write(folder, "UPDATE hallmark_ledger SET subject = 'run-9' WHERE seq = 2", mended=True)
    assert "does NOT hold" in hallmark(folder, "ledger", "verify", code=1)
    assert "So nothing is done on it" in hallmark(folder, "ledger", "publish", code=1)


def test_a_place_that_is_away_is_exit_3(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_LEDGER_HEADS", str(tmp_path / "not" / "mounted"))
    assert "cannot be used" in hallmark(made, "ledger", "publish", code=3)
    assert "some could not be" in hallmark(made, "ledger", "verify", code=3)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE hallmark_ledger_tree SET size = 3",
        "UPDATE hallmark_ledger_tree SET size = 3, peaks = 'zz'",
        "DELETE FROM hallmark_ledger_tree",
        "UPDATE hallmark_ledger_subtrees SET root = 'x'",
        "INSERT INTO hallmark_ledger_open VALUES (3, 'run-0')",
        "UPDATE hallmark_ledger SET time = 'then' WHERE seq = 3",
    ],
)
@pytest.mark.parametrize("command", ["verify", "publish", "show"])
def test_what_is_wrong_is_told_in_words(made: Path, tmp_path: Path, statement: str, command: str) -> None:
    """Not as Python writes its objects, which tests/tiny_project.py looks for in whatever a command prints."""
    folder = copy_tree(made, tmp_path / "copy")
    write(folder, statement)
    done = run_command(folder, ("ledger", command))
    words = done.stdout + done.stderr
    assert not REPR.search(words), words
