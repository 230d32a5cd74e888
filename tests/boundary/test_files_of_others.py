"""What somebody else left where Hallmark reads: a backup, an export, the ledger's database, the folder of a release."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasks.backup.restore import restore_backup
from tasks.backup.save import save_backup
from tasks.core.errors import HallmarkError
from tasks.core.files import sha256_file
from tasks.core.json_text import canonical_json
from tasks.declarations import status
from tasks.registry.verify import verification
from tests.backup.test_backup import checkout_of, clone
from tests.in_process import hallmark, hallmark_json
from tests.registry.conftest import (  # noqa: F401
    copied,
    empty_registry,
    evaluated_once,
    founded_once,
    ready_once,
    released_once,
)
from tests.registry.house import House, copy, writable

Change = Callable[[Any], object]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, released_once: Path) -> House:  # noqa: F811
    """One for all that only read it."""
    return checkout_of(released_once, tmp_path_factory.mktemp("house") / "house")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, house: House) -> Path:
    """A backup of it, to copy."""
    backup = tmp_path_factory.mktemp("saved") / "backup"
    save_backup(house.checkout(), backup, with_keys=False)
    return backup


@pytest.fixture
def backup(tmp_path: Path, saved: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "backup"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, house: House) -> bytes:
    path = tmp_path_factory.mktemp("exported") / "export.jsonl"
    hallmark(house.checkout(), "ledger", "export", str(path))
    return path.read_bytes()


ODD: dict[str, dict[str, Any]] = {
    "nothing": {},
    "null": {"envelope": None},
    "a list": {"envelope": []},
    "an empty one": {"envelope": {}},
    "numbers in it": {"envelope": {"payload": 1, "payloadType": [], "signatures": {}}},
    "nobody's": {
        "envelope": {
            "payload": "e30=",
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"keyid": "x", "sig": "00"}],
        }
    },
    "other types": {"envelope": "x", "state": [], "gate": {}, "run": None, "evidence": [], "release": {}, "time": 1},
}
"""Bodies of entries."""


KINDS = (
    "code.signed",
    "declaration.signed",
    "governance.signed",
    "governance.adopted",
    "gate.decision",
    "promotion.made",
    "incident.closed",
    "rollback.ordered",
)


def litter(house: House, *kinds: str) -> None:
    """Append entries that hold no statement, and see that nothing is changed by them and no command falls over them."""
    before = hallmark_json(house.checkout(), "releases", "list")
    for kind in kinds:
        for subject in ("triage", "run-1", "run-2", "source/tickets", "card/triage"):
            for body in ODD.values():
                house.ledger.append(kind, subject, body)
    assert status.read_status(house.ledger, house.governance).declarations_by_subject == {}
    assert hallmark_json(house.checkout(), "releases", "list") == before
    for command in ("gates list --all", "incidents list --all", "code list", "policy show"):
        hallmark(house.checkout(), *command.split())


@pytest.mark.attack(
    rights="database", stopped="an entry counts by what is signed in it, and another counts for nothing"
)
def test_entries_of_every_kind_that_hold_no_statement_change_nothing(
    tmp_path: Path,
    released_once: Path,  # noqa: F811
) -> None:
    """The next test says of which kind, in `make soak`."""
    litter(checkout_of(released_once, tmp_path / "house"), *KINDS)


@pytest.mark.soak
@pytest.mark.attack(
    rights="database", stopped="an entry counts by what is signed in it, and another counts for nothing"
)
@pytest.mark.parametrize("kind", KINDS)
def test_entries_that_hold_no_statement_change_nothing(tmp_path: Path, released_once: Path, kind: str) -> None:  # noqa: F811
    litter(checkout_of(released_once, tmp_path / "house"), kind)


def emptied(backup: Path) -> Path:
    """Some file of the backup's state that is no database, out of the way."""
    path = next(path for path in sorted((backup / "state" / "keys").glob("*.pub")))
    path.rename(backup.parent / "moved.pub")
    return path


def a_link(backup: Path) -> None:
    path = emptied(backup)
    path.symlink_to(backup.parent / "moved.pub")


def a_folder_behind_a_link(backup: Path) -> None:
    (backup / "state" / "keys").rename(backup.parent / "keys")
    (backup / "state" / "keys").symlink_to(backup.parent / "keys")


def a_pipe(backup: Path) -> None:
    os.mkfifo(emptied(backup))


def a_link_out(backup: Path) -> None:
    """A file that the manifest lists, which is whatever lies on the machine of whoever restores."""
    secret = backup.parent / "secret"
    secret.write_text("of the machine")
    place = backup / "state" / "keys" / "taken.pub"
    place.symlink_to(secret)
    listed(backup, lambda manifest: manifest["files"].update({"state/keys/taken.pub": sha256_file(secret)}))


def two_that_differ_in_capitals(backup: Path) -> None:
    (backup / "state" / "keys" / "GATE.pub").write_text("another")


def listed(backup: Path, change: Change) -> None:
    path = backup / "manifest.json"
    manifest = json.loads(path.read_bytes())
    change(manifest)
    path.write_text(json.dumps(manifest))


@pytest.mark.attack(rights="disk", stopped="a backup holds plain files alone, each as it was written")
@pytest.mark.parametrize(
    "change",
    [a_link, a_folder_behind_a_link, a_pipe, a_link_out, two_that_differ_in_capitals],
    ids=lambda f: f.__name__,
)
def test_what_is_no_plain_file_of_a_backup_is_not_put_back(
    house: House, backup: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    other = clone(house.root, tmp_path / "clone")
    change(backup)
    with pytest.raises(HallmarkError, match="changed, missing or added"):
        restore_backup(other, backup)
    assert not (other / ".hallmark").exists()


@pytest.mark.attack(rights="disk", stopped="a run comes back where the backup's refs name it, and below the runs alone")
@pytest.mark.parametrize(
    "name", ["../../../victim", "VICTIM", "x/../../../../victim", "run-1/../../../../victim", ".."]
)
def test_a_run_of_a_backup_is_made_nowhere_else(house: House, backup: Path, tmp_path: Path, name: str) -> None:
    other, victim = clone(house.root, tmp_path / "clone"), tmp_path / "victim"
    victim.mkdir()
    (victim / "work").write_text("of somebody else")
    listed(backup, lambda manifest: manifest.update(runs=[name.replace("VICTIM", str(victim))]))
    try:
        restore_backup(other, backup)
    except HallmarkError:
        assert not (other / ".hallmark").exists()
    assert (victim / "work").read_text() == "of somebody else"
    assert {path.name for path in tmp_path.iterdir()} == {"backup", "clone", "victim"}


EXPORTS: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "a number without end": b"1" * 6000,
    "not a number": b'{"seq":NaN}',
    "nested deep": b"[" * 200_000,
    "half a character": b'{"kind":"\\ud800"}',
    "bytes": b"\xff\xfe\x00",
    "a key twice": b'{"seq":1,"seq":2}',
}


@pytest.mark.attack(rights="database", stopped="an export is verified line by line, and what is no entry is named")
@pytest.mark.parametrize("line", EXPORTS.values(), ids=EXPORTS.keys())
def test_a_line_of_an_export_that_is_no_entry_is_told(
    house: House, exported: bytes, tmp_path: Path, line: bytes
) -> None:
    export, lines = tmp_path / "export.jsonl", exported.split(b"\n")
    for place in (0, 1, len(lines) - 2):
        export.write_bytes(b"\n".join([*lines[:place], line, *lines[place + 1 :]]))
        with pytest.raises(AssertionError, match=r"exited with [12]") as refused:
            hallmark(house.checkout(), "ledger", "verify", "--file", str(export))
        assert "Traceback" not in str(refused.value)


def twin(folder: Path) -> None:
    (folder / "payload" / "MANIFEST.json").write_bytes((folder / "payload" / "manifest.json").read_bytes())


def composed(folder: Path) -> None:
    (folder / "payload" / "model\u0301").mkdir()


def a_key_twice(folder: Path) -> None:
    path = folder / "attestations" / "promotion.json"
    path.write_bytes(b'{"payload":"e30=",' + path.read_bytes()[1:])


def round_in_a_circle(folder: Path) -> None:
    (folder / "payload" / "again").symlink_to("..")


def not_to_be_written_so(folder: Path) -> None:
    """The same values, in numbers and escapes that another parser reads otherwise."""
    path = folder / "payload" / "manifest.json"
    path.write_bytes(b"\xef\xbb\xbf" + canonical_json(json.loads(path.read_bytes())))


def a_socket(folder: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as listener:
        place = os.open(folder / "payload", os.O_RDONLY)
        try:
            listener.bind(f"/proc/self/fd/{place}/s")
        finally:
            os.close(place)


@pytest.mark.attack(rights="disk", stopped="the signed statement lists every file by digest, and no other may be there")
@pytest.mark.parametrize(
    "change",
    [twin, composed, a_key_twice, round_in_a_circle, not_to_be_written_so, a_socket],
    ids=lambda f: f.__name__,
)
def test_a_folder_that_others_read_otherwise_is_no_release(
    house: House, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = writable(copy(house.bundle(), tmp_path / "outside" / "triage-1"))
    assert verification.verify_from_root(folder, house.root_of_trust).verdict == "valid"
    change(folder)
    assert verification.verify_from_root(folder, house.root_of_trust).verdict == "invalid"
    told = hallmark(house.checkout(), "releases", "verify", str(folder), "--root", house.root_of_trust, code=1)
    assert "Traceback" not in told
