"""Contents of a backup.

DIR/manifest.json   list of the other files with SHA-256, and when the backup was taken
DIR/state/          files as in `.hallmark/`: ledger.db, vault/, heads/, releases/ …
DIR/refs.bundle     refs/hallmark/* as a git bundle: the commit of every run
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

from tasks.core import files
from tasks.core.documents.document import Document, error_text
from tasks.core.errors import Refused
from tasks.core.params.values import Sha256
from tasks.sources import vault

MANIFEST_FILE, STATE_FOLDER, REFS_BUNDLE = "manifest.json", "state", "refs.bundle"
MAX_MANIFEST_BYTES = 64 * 2**20
"""Maximum size of a manifest in bytes. Each file in the backup takes about a hundred bytes."""
HEADS, RELEASES, KEYS = "heads", "releases", "keys"
DATABASES = ("ledger.db", "vault/vault.db", "lineage.db", "mlflow/mlflow.db")
"""SQLite databases in a backup. Databases in Postgres are not included."""
FORMER_DATABASES = (vault.FORMER_FILE,)
"""Paths of databases in earlier versions of Hallmark. Such a database is moved when it is next opened."""
COPIED_FOLDERS = ("bases", "mlflow/artifacts", "audits")
"""Folders that are copied after the databases. Heads, releases, keys and runs have separate rules (save.py)."""
EXCLUDED = (
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
    """Ids of the runs that had a worktree."""
    private_keys: bool
    elsewhere: list[str]
    """Descriptions of the databases that are not in the backup."""
    files: dict[str, Sha256]
    """SHA-256 digest of each file, by its path in the backup."""


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a backup.

    Raises:
        Refused: There is no readable manifest, or it lists files that a backup cannot contain.
    """
    path = folder / MANIFEST_FILE
    try:
        manifest = Manifest.from_bytes(files.read_at_most(path, MAX_MANIFEST_BYTES))
    except (OSError, ValueError) as error:
        raise Refused(f"{path}: no backup can be read here ({error_text(error)})") from None
    if foreign := sorted(name for name in manifest.files if not _belongs(name)):
        raise Refused(f"{path} lists what no backup holds: {', '.join(foreign[:5])!a}; take another backup")
    return manifest


def _belongs(name: str) -> bool:
    """Return whether a backup can contain a file of this name.

    Other files are excluded, because Hallmark trusts the files in its state folder, for example DVC's cache, the secret
    of Prefect's server and the list of running servers.
    """
    place, _, path = name.partition("/")
    folder, _, rest = path.partition("/")
    run = folder == "runs" and "/" not in rest and rest.endswith(".json")
    within = tuple(f"{each}/" for each in (HEADS, RELEASES, KEYS, *COPIED_FOLDERS))
    return name == REFS_BUNDLE or (
        place == STATE_FOLDER and (path in (*DATABASES, *FORMER_DATABASES) or run or path.startswith(within))
    )


def visible_files(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder, except links and hidden files, which are locks or unfinished files."""
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
    differ |= {name for name in present & manifest.files.keys() if not _same(folder / name, manifest.files[name])}
    if differ:
        named = ", ".join(sorted(differ)[:5]) + " …" * (len(differ) > 5)
        raise Refused(f"{folder} is not as it was written: {named!a} changed, missing or added; take another backup")


def _same(path: Path, sha256: str) -> bool:
    return path.is_file() and not path.is_symlink() and files.sha256_file(path) == sha256
