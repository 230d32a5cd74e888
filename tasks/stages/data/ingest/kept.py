"""What was made of each source, kept between runs, so that a rerun reads only what changed.

DVC deletes a stage's outputs before it runs again, so pieces lie outside them, in `.hallmark/ingested/SOURCE/`, each in
a folder named by the digest of everything that decides it. A piece holds what the stage's outputs hold of the source:
protected, nothing readable. It is sealed with the vault's key, which no other stage has. One that is damaged or forged,
or whose tokens the vault does not know, is read again.
"""

import hmac
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasks.core.files import (
    canonical_json,
    read_json,
    sha256_bytes,
    sha256_file,
    tree_manifest,
    whole_folder,
    write_bytes,
)
from tasks.core.layout import Layout
from tasks.core.locks import turn
from tasks.core.record import batches
from tasks.sources.sources import ResolvedSource
from tasks.sources.vault_writer import VaultWriter
from tasks.stages.data.ingest.reading import Desk, read

KEPT = 2
"""Pieces of a source: the last one, and one for a change that is taken back."""
SEAL = "seal"
"""HMAC-SHA256, in hex, over name and manifest of the piece, by the vault's key for it."""


@dataclass(frozen=True)
class Piece:
    folder: Path
    """The tables of `reading.TABLES`, and counts.json."""
    fresh: bool
    """It was read now."""


@contextmanager
def piece(resolved: ResolvedSource, desk: Desk, layout: Layout) -> Iterator[Piece]:
    """What comes of a source, read only where no piece is kept of it; it stays inside the block.

    Of two runs that want the same source one waits, and then finds what the other has read.
    """
    name = resolved.source.id
    home = folder(layout) / name
    with turn(home / ".lock", f"another run reads source {name}"):
        target = home / key(resolved, desk, layout)
        fresh = not _usable(target, desk.vault)
        if fresh:
            with whole_folder(target) as aside:
                read(resolved, desk, aside)
                write_bytes(aside / SEAL, _seal(target.name, tree_manifest(aside), desk.vault).encode())
        os.utime(target)
        _prune(home)
        yield Piece(target, fresh)


def folder(layout: Layout) -> Path:
    return layout.kept("ingested", "ingest")


def key(resolved: ResolvedSource, desk: Desk, layout: Layout) -> str:
    """The digest of everything that decides a piece. The prompt of its task does not: it is only known to be there."""
    return sha256_bytes(
        canonical_json(
            {
                "source": resolved.model_dump(mode="json"),
                "terms": desk.every.model_dump(mode="json")["terms"],
                "as_of": desk.every.as_of.isoformat(),
                "vault": desk.every.vault,
                "max_malformed_share": desk.most_malformed,
                "code": read_json(layout.stages)["ingest"],
                "libraries": sha256_file(layout.root / "constraints.txt"),
                "python": platform.python_version(),  # of its Unicode tables, for one
            }
        )
    )


def _usable(target: Path, vault: VaultWriter) -> bool:
    """Whether a piece is there, whole, and the vault knows its tokens; says where one is there and cannot be used."""
    if not target.exists() and not target.is_symlink():
        return False
    if not _whole(target, vault):
        print(f"what is kept of source {target.parent.name} is damaged; reading it again", flush=True)
        return False
    unknown = sum(len(vault.missing(batch["token"].to_pylist())) for batch in batches(target / "tokens.parquet"))
    if unknown:
        print(f"the vault does not know {unknown} tokens of source {target.parent.name}; reading it again", flush=True)
    return not unknown


def _whole(target: Path, vault: VaultWriter) -> bool:
    if target.is_symlink():  # what it leads to is not ours to keep
        return False
    try:
        digests = tree_manifest(target)
        seal = (target / SEAL).read_bytes() if digests.pop(SEAL, None) else b""
    except (OSError, ValueError):
        return False
    return hmac.compare_digest(seal, _seal(target.name, digests, vault).encode())


def _seal(name: str, files: dict[str, str], vault: VaultWriter) -> str:
    return hmac.digest(vault.keys.seals, canonical_json([name, files]), "sha256").hex()


def _prune(home: Path) -> None:
    """Drop what killed processes left, and all but the pieces that were used last."""
    folders = [path for path in home.iterdir() if path.is_dir()]
    pieces = sorted((path for path in folders if path.name[0] != "."), key=lambda path: path.stat().st_mtime)
    for old in [*(path for path in folders if path.name[0] == "."), *pieces[:-KEPT]]:
        shutil.rmtree(old)
