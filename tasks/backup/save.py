"""Backup of a checkout's state while the checkout is in use.

The order is important. Heads are copied before the ledger, because a head that covers more entries than the ledger has
would indicate a truncated ledger. Files to which entries refer are copied after the ledger, so that none is missing.
Only releases that the copied ledger lists are copied.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tasks.backup import contents, state_verification
from tasks.backup.contents import Manifest
from tasks.core import files
from tasks.core.databases.addresses import LEDGER_URL_VARIABLE, VAULT_URL_VARIABLE
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.ledger.ledger import open_ledger
from tasks.policy import in_force, root_of_trust
from tasks.registry.promote import releases
from tasks.runs.git.repository import Repository

EXTERNAL_DATABASES = {
    LEDGER_URL_VARIABLE: "the ledger",
    VAULT_URL_VARIABLE: "the vault",
    "MLFLOW_REGISTRY_URI": "MLflow's registry",
    "MLFLOW_TRACKING_URI": "MLflow's tracking server",
}


def save_backup(root: Path, target: Path, with_keys: bool) -> Manifest:
    """Write a backup to the new folder `target`, with mode 0700.

    The folder appears only when it is complete and verified.

    Raises:
        InputError: The target exists, another process writes it, or it is in the state folder.
        Unavailable: A file cannot be read or written, for example because the disk is full.
        Refused: The copied state is not valid, or the clone is shallow or partial and lacks commits of its runs.
    """
    state, target = root / ".hallmark", target.resolve()
    if target.exists() or target.is_symlink():
        raise InputError(f"{target} is there already; name a new folder, a backup is never written over")
    if target.is_relative_to(state.resolve()):
        raise InputError(f"{target} lies in {state}, which is what is backed up; name a folder elsewhere")
    started_at, trusted = datetime.now(UTC), root_of_trust.root_fingerprint(state)
    with _translate_errors(target), files.new_atomic_folder(target, mode=0o700) as unfinished:
        _copy_state(state, unfinished / contents.STATE_FOLDER, with_keys)
        _bundle_refs(root, unfinished / contents.REFS_BUNDLE)
        entries = state_verification.require_valid_state(
            unfinished / contents.STATE_FOLDER, root / "infra" / "governance"
        )
        manifest = Manifest(
            time=started_at,
            root=trusted,
            entries=0 if os.environ.get(LEDGER_URL_VARIABLE) else entries,
            runs=_run_ids(state),
            private_keys=with_keys,
            elsewhere=[
                _describe_external(name, what) for name, what in EXTERNAL_DATABASES.items() if os.environ.get(name)
            ],
            files=files.tree_manifest(unfinished),
        )
        files.write_bytes(unfinished / contents.MANIFEST_FILE, manifest.model_dump_json(indent=2).encode(), mode=0o600)
    return manifest


def _copy_state(state: Path, copy: Path, with_keys: bool) -> None:
    _copy_files(state, sorted((state / contents.HEADS_FOLDER).glob("*.json")), copy)
    for name in contents.DATABASES:
        if (state / name).exists() and not (name == "ledger.db" and os.environ.get(LEDGER_URL_VARIABLE)):
            copy_database(state / name, copy / name)
    keys = contents.visible_files(state / contents.KEYS_FOLDER)
    _copy_files(state, (path for path in keys if with_keys or path.suffix == ".pub"), copy)
    for label in _copied_releases(copy, state):
        _copy_files(state, contents.visible_files(state / contents.RELEASES_FOLDER / label), copy)
    for name in contents.COPIED_FOLDERS:
        _copy_files(state, contents.visible_files(state / name), copy)
    _copy_files(state, (state / "runs").glob("*.json"), copy)


def copy_database(database: Path, copy: Path) -> None:
    """Make a consistent copy of a SQLite database to which other processes may be writing.

    Raises:
        Refused: The database is damaged.
    """
    copy.parent.mkdir(parents=True, exist_ok=True)
    source, target = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True), sqlite3.connect(copy)
    try:
        source.backup(target)
        (verdict,) = target.execute("PRAGMA quick_check").fetchone()
        if verdict != "ok":
            raise Refused(f"{database} is damaged: {verdict}; nothing was written. Restore an older backup")
        target.execute("PRAGMA journal_mode=DELETE")  # all data in one file, without a WAL beside it
    finally:
        source.close()
        target.close()
    copy.chmod(0o600)


def _copied_releases(copy: Path, state: Path) -> list[str]:
    ledger = open_ledger(copy)
    try:
        governed, _ = in_force.read_in_force(state, copy, ledger)
        return [str(release.label) for release in releases.list_releases(ledger, governed)]
    finally:
        ledger.close()


def _copy_files(state: Path, paths: Iterable[Path], copy: Path) -> None:
    for path in paths:
        target = copy / path.relative_to(state)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target, follow_symlinks=False)


def _bundle_refs(root: Path, bundle: Path) -> None:
    """Write all of Hallmark's refs to a git bundle.

    If there are no refs, there is no bundle either, because git refuses to write an empty one.
    """
    checkout = Repository.open(root)
    if checkout.run_git("for-each-ref", "refs/hallmark"):
        checkout.run_git("bundle", "create", "--quiet", str(bundle), "--glob=refs/hallmark/*")
        _require_complete_bundle(checkout, bundle)


def _require_complete_bundle(checkout: Repository, bundle: Path) -> None:
    """Verify that the bundle can be cloned. This fails if the checkout's own clone is shallow or partial.

    Raises:
        Refused: The bundle is incomplete.
    """
    with tempfile.TemporaryDirectory(dir=bundle.parent) as empty:
        try:
            checkout.run_git("clone", "--quiet", "--mirror", str(bundle), empty)
        except Unavailable as error:
            raise Refused(
                f"the commits of runs could not be put back from a backup ({error}); if {checkout.root} is a shallow "
                "or partial clone, run `git fetch --unshallow` first"
            ) from None


def _run_ids(state: Path) -> list[str]:
    return sorted(path.parents[1].name for path in (state / "runs").glob("*/inputs/request.json"))


def _describe_external(variable: str, description: str) -> str:
    return (
        f"{description} is where {variable} says and not in this backup: "
        "back it up there, after this (Postgres: pg_dump)"
    )


@contextmanager
def _translate_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except files.FolderTakenError:
        text = f"{target}: another process writes a backup there or has written one; name another folder"
        raise InputError(text) from None
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(f"{target}: no backup was written ({error}); see to the disk and try again") from None
