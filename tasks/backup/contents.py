"""Contents of a backup.

DIR/manifest.json   time of the backup, and the SHA-256 of every other file
DIR/state/          files as in `.hallmark/`: ledger.db, vault/, heads/, releases/ …
DIR/refs.bundle     refs/hallmark/* as a git bundle: the commit of every run
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

from tasks.core import files
from tasks.core.documents.document import Document, document_error_message
from tasks.core.errors import Refused
from tasks.core.params.values import Sha256
from tasks.sources import vault

MANIFEST_FILE, STATE_FOLDER, REFS_BUNDLE = "manifest.json", "state", "refs.bundle"
MAX_MANIFEST_BYTES = 64 * 2**20
"""Maximum size of a manifest in bytes. Each file of the backup takes up about a hundred bytes in it."""
HEADS_FOLDER, RELEASES_FOLDER, KEYS_FOLDER = "heads", "releases", "keys"
DATABASES = ("ledger.db", "vault/vault.db", "lineage.db", "mlflow/mlflow.db")
"""SQLite databases in a backup. Databases in Postgres are not included."""
FORMER_DATABASES = (vault.FORMER_VAULT_FILE,)
"""Paths at which earlier versions of Hallmark stored databases. Such a database is moved when it is next opened."""
COPIED_FOLDERS = ("bases", "mlflow/artifacts", "audits", "labels")
"""Folders that are copied after the databases. Heads, releases, keys and runs have separate rules (save.py)."""
EXCLUDED_DESCRIPTION = (
    "what DVC keeps (`dvc push` takes it to a remote; without it a run that goes on makes its stages anew), "
    "checkpoints, copies of sources and models, which are fetched again, and Prefect's own database"
)


class Manifest(Document):
    type: Literal["urn:hallmark:backup:v1"] = "urn:hallmark:backup:v1"
    time: datetime
    """Time when the backup was started, in UTC."""
    root: str
    """Fingerprint of the root key. Compare it with the fingerprint that you received from the key's owner."""
    entries: int
    """Number of entries in the ledger; 0 if the ledger is not in the backup."""
    runs: list[str]
    """Ids of the runs whose worktree existed when the backup was started."""
    private_keys: bool
    elsewhere: list[str]
    """Descriptions of the databases that are stored outside `.hallmark/` and are therefore not in the backup."""
    files: dict[str, Sha256]
    """SHA-256 digest of each file, by its path in the backup."""


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a backup.

    Raises:
        Refused: There is no readable manifest, or it lists files that a backup cannot contain.
    """
    path = folder / MANIFEST_FILE
    try:
        manifest = Manifest.from_bytes(files.read_bounded(path, MAX_MANIFEST_BYTES))
    except (OSError, ValueError) as error:
        raise Refused(f"{path}: no backup can be read here ({document_error_message(error)})") from None
    if foreign := sorted(name for name in manifest.files if not _is_allowed(name)):
        raise Refused(f"{path} lists what no backup holds: {', '.join(foreign[:5])!a}; take another backup")
    return manifest


def _is_allowed(name: str) -> bool:
    """Return whether a backup may contain a file with this name.

    Hallmark trusts the files in its state folder, such as DVC's cache, the secret of Prefect's server and the list of
    running servers. A backup must not be able to add files of that kind.
    """
    place, _, path = name.partition("/")
    folder, _, rest = path.partition("/")
    run = folder == "runs" and "/" not in rest and rest.endswith(".json")
    within = tuple(f"{each}/" for each in (HEADS_FOLDER, RELEASES_FOLDER, KEYS_FOLDER, *COPIED_FOLDERS))
    return name == REFS_BUNDLE or (
        place == STATE_FOLDER and (path in (*DATABASES, *FORMER_DATABASES) or run or path.startswith(within))
    )


def visible_files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder.

    Links and hidden files are skipped. Hidden files are locks or files that are still being written.
    """
    if not folder.is_dir() or folder.is_symlink():
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir():
            yield from visible_files(path)
        elif path.is_file():
            yield path


def require_unchanged(folder: Path, manifest: Manifest) -> None:
    """Verify that a folder contains exactly the files of the manifest, with the same digests.

    Raises:
        Refused: A file was changed, added or removed.
    """
    present = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()
    }
    differ = present - {MANIFEST_FILE} ^ manifest.files.keys()
    differ |= {
        name for name in present & manifest.files.keys() if not _is_unchanged(folder / name, manifest.files[name])
    }
    if differ:
        named = ", ".join(sorted(differ)[:5]) + " …" * (len(differ) > 5)
        raise Refused(f"{folder} is not as it was written: {named!a} changed, missing or added; take another backup")


def _is_unchanged(path: Path, sha256: str) -> bool:
    return path.is_file() and not path.is_symlink() and files.sha256_file(path) == sha256
