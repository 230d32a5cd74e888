"""What a backup consists of.

DIR/manifest.json   this: what, when, and the SHA-256 of every other file
DIR/state/          as in `.hallmark/`: ledger.db, vault/, heads/, releases/ …
DIR/refs.bundle     refs/hallmark/* as a git bundle: the commit of every run
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal

from tasks.core import files
from tasks.core.document import Document, why
from tasks.core.errors import Refused
from tasks.core.params.values import Sha256
from tasks.sources import vault

MANIFEST, STATE, REFS = "manifest.json", "state", "refs.bundle"
MOST = 64 * 2**20
"""Bytes of a manifest: some hundred for each file."""
HEADS, RELEASES, KEYS = "heads", "releases", "keys"
DATABASES = ("ledger.db", "vault/vault.db", "lineage.db", "mlflow/mlflow.db")
"""SQLite; those of Postgres are backed up there."""
BEFORE = (vault.BEFORE,)
"""Where an earlier version had one of them; whoever opens it next moves it."""
TREES = ("bases", "mlflow/artifacts", "audits")
"""Folders copied after the databases; heads, releases, keys and runs have rules of their own (save.py)."""
NOT_IN_IT = (
    "what DVC keeps (`dvc push` takes it to a remote; without it a run that goes on makes its stages anew), "
    "checkpoints, copies of sources and models, which are fetched again, and Prefect's own database"
)


class Manifest(Document):
    type: Literal["urn:hallmark:backup:v1"] = "urn:hallmark:backup:v1"
    time: datetime
    """When it was begun, in UTC."""
    root: str
    """Fingerprint of the root key. Whoever restores compares it with what its owner told them."""
    entries: int
    """Of the ledger that is in it; 0 where that is elsewhere."""
    runs: list[str]
    """Runs that had a worktree."""
    private_keys: bool
    elsewhere: list[str]
    """Databases that are not in it, in words."""
    files: dict[str, Sha256]
    """By path in the backup."""


def read(folder: Path) -> Manifest:
    """Raises Refused where no manifest is there that can be read."""
    path = folder / MANIFEST
    try:
        manifest = Manifest.read_bytes(files.read_at_most(path, MOST))
    except (OSError, ValueError) as error:
        raise Refused(f"{path}: no backup can be read here ({why(error)})") from None
    if foreign := sorted(name for name in manifest.files if not _belongs(name)):
        raise Refused(f"{path} lists what no backup holds: {', '.join(foreign[:5])!a}; take another backup")
    return manifest


def _belongs(name: str) -> bool:
    """Whether a backup may hold a file of this name. What else lies in a state is believed there as this machine's own:
    DVC's cache, the secret of Prefect's server, what is up."""
    place, _, path = name.partition("/")
    folder, _, rest = path.partition("/")
    run = folder == "runs" and "/" not in rest and rest.endswith(".json")
    within = tuple(f"{each}/" for each in (HEADS, RELEASES, KEYS, *TREES))
    return name == REFS or (place == STATE and (path in (*DATABASES, *BEFORE) or run or path.startswith(within)))


def plain(folder: Path) -> Iterator[Path]:
    """The files below a folder, without what is hidden: locks, and what is written aside at this moment."""
    if not folder.is_dir() or folder.is_symlink():
        return
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.is_symlink():
            continue
        if path.is_dir():
            yield from plain(path)
        elif path.is_file():
            yield path


def require_same(folder: Path, manifest: Manifest) -> None:
    """Raises Refused where a folder does not hold exactly the files that the manifest lists, each as it was."""
    there = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir() or path.is_symlink()
    }
    differ = there - {MANIFEST} ^ manifest.files.keys()
    differ |= {name for name in there & manifest.files.keys() if not _same(folder / name, manifest.files[name])}
    if differ:
        named = ", ".join(sorted(differ)[:5]) + " …" * (len(differ) > 5)
        raise Refused(f"{folder} is not as it was written: {named!a} changed, missing or added; take another backup")


def _same(path: Path, sha256: str) -> bool:
    return path.is_file() and not path.is_symlink() and files.sha256_file(path) == sha256
