"""A backup is taken while others write, verifies by itself, and is put back whole or not at all."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.backup import contents, restore, save, state_verification
from tasks.backup.restore import restore_backup
from tasks.backup.save import save_backup
from tasks.core import files
from tasks.core.errors import HallmarkError, InputError, Refused
from tasks.gates import cases, decisions
from tasks.ledger import ledger_verification
from tasks.ledger.heads import publication
from tasks.ledger.ledger import open_ledger
from tasks.policy import in_force, root_of_trust
from tasks.registry.promote import releases
from tests.in_process import hallmark
from tests.registry.conftest import (  # noqa: F401
    copied,
    empty_registry,
    evaluated_once,
    founded_once,
    ready_once,
    released_once,
)
from tests.registry.house import House
from tests.tiny_project import ROOT, commit, git

APPENDS = """
import sys
from pathlib import Path
from tasks.ledger.ledger import open_ledger
ledger = open_ledger(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    ledger.append("test.entry", "x", {"n": 1})
"""


@pytest.fixture(scope="module")
def checkout_once(tmp_path_factory: pytest.TempPathFactory, released_once: Path) -> Path:  # noqa: F811
    house = checkout_of(released_once, tmp_path_factory.mktemp("house") / "house")
    house.ledger.close()
    return house.root


@pytest.fixture(scope="module")
def saved_once(tmp_path_factory: pytest.TempPathFactory, checkout_once: Path) -> Path:
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv(root_of_trust.ROOT_VARIABLE, raising=False)
        save_backup(checkout_once, folder := tmp_path_factory.mktemp("saved") / "backup", with_keys=False)
    return folder


@pytest.fixture
def house(tmp_path: Path, checkout_once: Path) -> House:
    return copied(checkout_once, tmp_path / "house")


@pytest.fixture
def backup(tmp_path: Path, saved_once: Path) -> Path:
    """A backup of the house, without keys."""
    return Path(shutil.copytree(saved_once, tmp_path / "backup"))


@pytest.fixture
def there(tmp_path: Path, checkout_once: Path) -> Path:
    """A fresh clone on another machine."""
    return clone(checkout_once, tmp_path / "there")


def checkout_of(before: Path, root: Path) -> House:
    """A checkout with a release, a head, a gate that waits, and a run's ref."""
    house = copied(before, root)
    checkout = house.checkout()
    (checkout / ".gitignore").write_text("/.hallmark/\n")
    git(checkout, "init", "--quiet", "--initial-branch", "main")
    commit(checkout, "A checkout")
    git(checkout, "update-ref", "refs/hallmark/runs/run-1", "HEAD")
    house.ask(house.begin("run-2", b"next"), "data")
    publication.publish(house.ledger, house.governance)
    return house


def clone(checkout: Path, to: Path, *options: str) -> Path:
    """Clone it without its state and without Hallmark's refs."""
    subprocess.run(["git", "clone", "--quiet", *options, f"file://{checkout}", to], check=True, capture_output=True)
    return to


def shallow_clone(house: House, to: Path) -> Path:
    """Clone the newest commit alone, as that of run-2, and all of run-1."""
    for message in ("Another", "Newest"):
        git(house.root, "commit", "--quiet", "--allow-empty", "--message", message)
    shallow = clone(house.root, to, "--depth", "1")
    git(shallow, "update-ref", "refs/hallmark/runs/run-2", "HEAD")
    git(shallow, "fetch", "--quiet", "--depth", "1", "origin", "refs/hallmark/runs/run-1:refs/hallmark/runs/run-1")
    return shallow


def listing(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rewrite(backup: Path, **said: object) -> None:
    """Have the manifest say something else."""
    (backup / contents.MANIFEST_FILE).write_text(
        contents.read_manifest(backup).model_copy(update=said).model_dump_json()
    )


def test_what_is_restored_verifies_and_decides_on(house: House, there: Path, tmp_path: Path) -> None:
    manifest = save_backup(house.root, tmp_path / "backup", with_keys=True)
    assert manifest.entries == house.ledger.last_seq() and manifest.root == house.root_of_trust
    restore_backup(there, tmp_path / "backup")
    back = in_force.load_in_force(
        there / "infra" / "governance", there / ".hallmark", ledger := open_ledger(there / ".hallmark")
    )
    assert ledger_verification.verify_ledger(ledger, back).verdict == "holds"
    (release,) = releases.list_releases(ledger, back)
    assert (
        release.bundle.startswith(str(there)) and releases.verify_release(Path(release.bundle), back).verdict == "valid"
    )
    (waiting,) = cases.open_evidence(ledger)
    decisions.decide(ledger, back, waiting, "owner", "approve", "as before the disk broke")
    assert git(there, "rev-parse", "refs/hallmark/runs/run-1") == git(house.root, "rev-parse", "HEAD")
    assert publication.publish(ledger, back).newest_head, "it goes on from the head that was backed up"


@pytest.mark.attack(rights="disk", stopped="what a backup says of its root key is compared with what it holds")
def test_the_root_of_somebody_else_is_not_shown_for_that_of_the_backup(backup: Path, there: Path) -> None:
    """A backup of another project whose manifest names the root key that the owner told."""
    rewrite(backup, root=f"SHA256:{'A' * 43}")
    with pytest.raises(Refused, match="its manifest says that its root key is SHA256:AAAA"):
        restore_backup(there, backup)
    assert not (there / ".hallmark").exists()


def test_it_is_for_its_owner_alone_and_keys_are_in_it_only_on_request(house: House, tmp_path: Path) -> None:
    for with_keys in (False, True):
        target = tmp_path / f"backup-{with_keys}"
        save_backup(house.root, target, with_keys)
        assert target.stat().st_mode & 0o777 == 0o700
        private = [path for path in (target / "state" / "keys").iterdir() if path.suffix != ".pub"]
        assert bool(private) is with_keys
        assert all(path.stat().st_mode & 0o077 == 0 for path in private)
        assert (target / "state" / "keys" / "root.pub").exists()


def test_it_is_taken_while_another_process_writes(house: House, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", APPENDS, str(house.state)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as other:
        try:
            assert other.stdout and other.stdout.readline() == "ready\n"
            for number in range(2):
                publication.publish(house.ledger, house.governance)
                manifest = save_backup(house.root, tmp_path / f"backup-{number}", with_keys=False)
                assert manifest.entries >= publication.newest_head(house.governance).size  # type: ignore[union-attr]
        finally:
            other.kill()
    assert not list((tmp_path / "backup-1" / "state").glob("ledger.db-*")), "all of it is in one file"


def test_of_two_backups_to_one_name_the_first_is_whole(
    house: House, there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, target = save._bundle_refs, tmp_path / "backup"

    def meanwhile(*args: Path) -> None:
        with pytest.raises(InputError, match="another process writes a backup there"):
            save_backup(house.root, target, with_keys=False)
        bundle(*args)

    monkeypatch.setattr(save, "_bundle_refs", meanwhile)
    save_backup(house.root, target, with_keys=False)
    restore_backup(there, target)


def test_of_two_restorations_at_once_the_first_is_whole(
    backup: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = restore._fetch_refs

    def meanwhile(*args: Any) -> tuple[str, ...]:
        with pytest.raises(InputError, match="another process restores it"):
            restore_backup(there, backup)
        return fetch(*args)

    monkeypatch.setattr(restore, "_fetch_refs", meanwhile)
    restore_backup(there, backup)
    assert open_ledger(there / ".hallmark").last_seq() == contents.read_manifest(backup).entries


def test_a_plain_copy_of_the_file_lacks_what_was_recorded_last(house: House, tmp_path: Path) -> None:
    """Why there is a command for it."""
    house.ledger.append("test.entry", "x", {})
    shutil.copyfile(house.state / "ledger.db", tmp_path / "copied.db")
    save_backup(house.root, tmp_path / "backup", with_keys=False)
    copied, backed_up = (_count(path) for path in (tmp_path / "copied.db", tmp_path / "backup" / "state" / "ledger.db"))
    assert copied < backed_up == house.ledger.last_seq()


def _count(database: Path) -> int:
    connection = sqlite3.connect(database)
    try:
        return int(connection.execute("SELECT count(*) FROM hallmark_ledger").fetchone()[0])
    except sqlite3.DatabaseError:
        return 0
    finally:
        connection.close()


def test_every_file_that_is_changed_missing_or_added_is_refused(backup: Path, there: Path) -> None:
    every = [path for path in sorted(backup.rglob("*")) if path.is_file()]
    for path in every[:: max(1, len(every) // 12)]:
        mode, before = path.stat().st_mode, path.read_bytes()
        path.chmod(0o600)
        for change in (before[:-1] + bytes([before[-1] ^ 1]), None):
            path.write_bytes(change) if change is not None else path.unlink()
            with pytest.raises(HallmarkError):
                restore_backup(there, backup)
            assert not (there / ".hallmark").exists(), path
        path.write_bytes(before)
        path.chmod(mode)
    (backup / "state" / "more").write_text("more")
    with pytest.raises(Refused, match="more"):
        restore_backup(there, backup)
    (backup / "state" / "more").unlink()
    (backup / "state" / "link").symlink_to("/etc/passwd")
    with pytest.raises(Refused, match="link"):
        restore_backup(there, backup)
    (backup / "state" / "link").unlink()
    restore_backup(there, backup)


def test_commits_that_were_exchanged_are_refused(house: House, backup: Path, there: Path) -> None:
    """Another bundle that git finds nothing wrong with."""
    checkout, bundle = house.checkout(), backup / "refs.bundle"
    (checkout / "more.txt").write_text("more")
    git(checkout, "update-ref", "refs/hallmark/runs/run-1", commit(checkout, "Another"))
    bundle.chmod(0o600)
    git(checkout, "bundle", "create", "--quiet", str(bundle), "--glob=refs/hallmark/*")
    with pytest.raises(Refused, match=r"refs\.bundle"):
        restore_backup(there, backup)
    assert not (there / ".hallmark").exists() and not git(there, "for-each-ref", "refs/hallmark/")


def test_a_shallow_clone_is_refused_until_it_is_whole(house: House, tmp_path: Path) -> None:
    shallow = shallow_clone(house, tmp_path / "shallow")
    shutil.copytree(house.state, shallow / ".hallmark")
    with pytest.raises(Refused, match="git fetch --unshallow"):
        save_backup(shallow, tmp_path / "another", with_keys=False)
    assert not (tmp_path / "another").exists()
    git(shallow, "fetch", "--quiet", "--unshallow")
    manifest = save_backup(shallow, tmp_path / "another", with_keys=False)
    assert {"refs.bundle", "state/ledger.db"} <= manifest.files.keys()


def test_commits_that_cannot_be_fetched_do_not_keep_the_rest_back(
    house: House, backup: Path, there: Path, tmp_path: Path
) -> None:
    """A backup that an earlier version took in a shallow clone."""
    bundle = backup / "refs.bundle"
    bundle.unlink()
    git(shallow_clone(house, tmp_path / "shallow"), "bundle", "create", "--quiet", str(bundle), "--glob=refs/hallmark")
    manifest = contents.read_manifest(backup)
    rewrite(backup, files=manifest.files | {bundle.name: files.sha256_file(bundle)}, runs=["run-1", "run-2"])
    told = hallmark(there, "restore", str(backup), code=3)
    assert "restored as of" in told and "these runs, which git could not fetch from the backup: run-2." in told
    assert (there / ".hallmark" / "ledger.db").exists() and list((there / ".hallmark" / "releases").iterdir())
    assert (there / ".hallmark" / "runs" / "run-1").exists() and not (there / ".hallmark" / "runs" / "run-2").exists()


def test_a_ledger_changed_with_its_manifest_does_not_hold(backup: Path, there: Path) -> None:
    """Whoever can write to the backup can write its manifest too; the signed head is in the way."""
    with sqlite3.connect(backup / "state" / "ledger.db") as connection:
        connection.execute("DROP TRIGGER hallmark_ledger_no_update")
        connection.execute("UPDATE hallmark_ledger SET subject = 'other' WHERE seq = 3")
    connection.close()
    digest = files.sha256_file(backup / "state" / "ledger.db")
    rewrite(backup, files=contents.read_manifest(backup).files | {"state/ledger.db": digest})
    with pytest.raises(Refused, match="does not hold"):
        restore_backup(there, backup)
    assert not (there / ".hallmark").exists()


@pytest.mark.attack(rights="database", stopped="a restored database has the triggers of Hallmark alone")
@pytest.mark.parametrize(("name", "table"), [("ledger.db", "hallmark_ledger"), ("vault/vault.db", "hallmark_vault")])
def test_a_database_with_triggers_of_somebody_else_is_not_restored(
    backup: Path, there: Path, name: str, table: str
) -> None:
    database = backup / "state" / name
    with sqlite3.connect(database) as connection:
        connection.execute(f"CREATE TRIGGER planted BEFORE INSERT ON {table} BEGIN SELECT RAISE(IGNORE); END")
    connection.close()
    rewrite(backup, files=contents.read_manifest(backup).files | {f"state/{name}": files.sha256_file(database)})
    with pytest.raises(Refused, match="'planted'"):
        restore_backup(there, backup)
    assert not (there / ".hallmark").exists()


def dies(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("step", ["require_unchanged", "require_valid_state", "rename"])
def test_an_interrupted_restore_leaves_nothing_half(
    backup: Path, there: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(path.name for path in there.iterdir())
    where = {"require_unchanged": contents, "require_valid_state": state_verification, "rename": Path}[step]
    monkeypatch.setattr(where, step, dies)
    with pytest.raises(KeyboardInterrupt):
        restore_backup(there, backup)
    monkeypatch.undo()
    monkeypatch.delenv(root_of_trust.ROOT_VARIABLE, raising=False)
    assert sorted(path.name for path in there.iterdir()) == before
    restore_backup(there, backup)


def test_an_interrupted_backup_leaves_nothing(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_verification, "require_valid_state", dies)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        save_backup(house.root, tmp_path / "backup", with_keys=True)
    assert sorted(tmp_path.iterdir()) == before


def test_nothing_is_written_over(house: House, tmp_path: Path) -> None:
    save_backup(house.root, backup := tmp_path / "backup", with_keys=False)
    before = listing(house.state)
    with pytest.raises(InputError, match="is there already"):
        save_backup(house.root, backup, with_keys=False)
    with pytest.raises(InputError, match="name a folder elsewhere"):
        save_backup(house.root, house.state / "backup", with_keys=False)
    with pytest.raises(InputError, match="nothing is written over"):
        restore_backup(house.root, backup)
    assert listing(house.state) == before


@pytest.mark.parametrize("broken", ["", "{}", "[" * 100_000, '{"format": "other"}'])
def test_a_folder_that_is_no_backup_is_told(there: Path, tmp_path: Path, broken: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "manifest.json").write_text(broken)
    with pytest.raises(Refused, match="no backup can be read here"):
        restore_backup(there, tmp_path / "folder")


def test_a_disk_that_is_away_is_told(house: House, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(HallmarkError):
        save_backup(house.root, tmp_path / "file" / "backup", with_keys=False)


PLANTED = ("state/prefect/secret", "state/cache/runs/ab/abcd/abcd", "state/runs/run-1/inputs/request.json", "notes.txt")


@pytest.mark.attack(
    rights="worker", stopped="a backup holds what `hallmark backup` writes, and nothing else is put back"
)
@pytest.mark.parametrize("name", PLANTED)
def test_nothing_comes_back_that_no_backup_holds(backup: Path, there: Path, name: str) -> None:
    """Whoever may write where backups lie, with a manifest made to fit: a secret that they know, a forged result."""
    planted = backup / name
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text("known")
    rewrite(backup, files=contents.read_manifest(backup).files | {name: files.sha256_file(planted)})
    with pytest.raises(Refused, match=f"lists what no backup holds: '{name}'"):
        restore_backup(there, backup)
    assert not (there / ".hallmark").exists()
