"""Restoration of a backup into a checkout that has no state yet."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tasks.backup import contents, state_verification
from tasks.backup.contents import Manifest
from tasks.core import files
from tasks.core.databases.addresses import LEDGER_URL_VARIABLE
from tasks.core.errors import InputError, Refused, Unavailable
from tasks.policy import root_of_trust
from tasks.runs.git.repository import Repository


@dataclass(frozen=True)
class RestoreResult:
    manifest: Manifest
    missing_refs: tuple[str, ...]
    """Refs in the backup that git could not fetch. The worktrees of their runs are missing too."""


def restore_backup(root: Path, backup: Path) -> RestoreResult:
    """Create `.hallmark/` from a backup.

    The folder appears only when it is complete, and its digests and its ledger have been verified. It contains a
    worktree for each run whose ref could be fetched. A ref that cannot be fetched does not prevent the restoration.

    Raises:
        InputError: The checkout already has a state, another process is restoring one, or the backup lacks the ledger
            and HALLMARK_LEDGER_URL is not set.
        Refused: The backup was changed, or is not valid.
        Unavailable: A disk operation failed.
    """
    state = root / ".hallmark"
    if existing := next(iter(sorted(path for path in state.rglob("*") if not path.is_dir())), None):
        raise InputError(f"{state} holds {existing.relative_to(state)}; move it away first, nothing is written over")
    manifest = contents.read_manifest(backup)
    if not (backup / contents.STATE_FOLDER / "ledger.db").exists() and not os.environ.get(LEDGER_URL_VARIABLE):
        raise InputError(f"this backup has no ledger in it; set {LEDGER_URL_VARIABLE} to the database that has it")
    contents.require_unchanged(backup, manifest)
    try:
        return RestoreResult(manifest, _write_state(root, state, backup, manifest))
    except files.FolderTakenError:
        text = f"{state}: another process restores it or has written to it; nothing is written over"
        raise InputError(text) from None
    except OSError as error:
        raise Unavailable(f"{state}: nothing was restored ({error}); see to the disk and try again") from None


def _write_state(root: Path, state: Path, backup: Path, manifest: Manifest) -> tuple[str, ...]:
    checkout = Repository.open(root)
    with files.new_atomic_folder(state, mode=0o700) as unfinished:
        shutil.copytree(backup / contents.STATE_FOLDER, unfinished, symlinks=True, dirs_exist_ok=True)
        contents.require_unchanged(
            unfinished,
            manifest.model_copy(update={"files": {
                name.removeprefix(f"{contents.STATE_FOLDER}/"): sha256
                for name, sha256 in manifest.files.items() if name.startswith(f"{contents.STATE_FOLDER}/")
            }}),
        )  # fmt: skip
        if (root_key := root_of_trust.root_fingerprint(unfinished)) != manifest.root:
            raise Refused(f"its manifest says that its root key is {manifest.root}, and what it holds is {root_key}")
        entries = state_verification.require_valid_state(unfinished, root / "infra" / "governance")
        if manifest.entries and entries != manifest.entries:
            raise Refused(f"its ledger has {entries:,} entries, and the manifest says {manifest.entries:,}")
        missing = _fetch_refs(checkout, backup / contents.REFS_BUNDLE)
        for run in manifest.runs:
            ref = f"refs/hallmark/runs/{run}"
            if ref not in missing and checkout.run_git("for-each-ref", ref):
                checkout.add_worktree(unfinished / "runs" / run, ref)
        _remove_empty_folders(state)
    return missing


def _remove_empty_folders(folder: Path) -> None:
    """Remove empty folders below the state folder, because a rename replaces only an empty folder."""
    for inner in sorted(folder.rglob("*"), reverse=True):
        if inner.is_dir() and not inner.is_symlink() and not any(inner.iterdir()):
            inner.rmdir()


def _fetch_refs(checkout: Repository, bundle: Path) -> tuple[str, ...]:
    """Fetch the commits of runs, and return the refs that could not be fetched.

    Git leaves a ref unchanged if it already exists with another commit.
    """
    if not bundle.exists() or _can_fetch(checkout, bundle, "refs/hallmark/*"):
        return ()
    heads = checkout.run_git("bundle", "list-heads", str(bundle.resolve())).splitlines()
    return tuple(ref for ref in (line.split()[1] for line in heads) if not _can_fetch(checkout, bundle, ref))


def _can_fetch(checkout: Repository, bundle: Path, refs: str) -> bool:
    try:
        checkout.run_git("fetch", "--quiet", "--no-tags", str(bundle.resolve()), f"{refs}:{refs}")
    except Unavailable:
        return False
    return True
