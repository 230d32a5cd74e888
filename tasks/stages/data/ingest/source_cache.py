"""Cache of each source's tables between runs, so that a rerun reads only the sources that changed.

DVC deletes the outputs of a stage before it runs the stage again, so the cache is in a folder of its own,
`.hallmark/ingested/SOURCE/`. Each folder in it has the tables of the source, and is named by a digest of everything
that affects them. Like the stage's outputs, a cached folder contains only protected text. It is sealed with a key of
the vault that no other stage has. If a folder is damaged or forged, or if a token in it is missing from the vault, the
source is read again.
"""

import hmac
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasks.core.files import atomic_folder, read_json, sha256_bytes, sha256_file, tree_manifest, write_bytes
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.core.machine.locks import hold_exclusive_lock
from tasks.core.records.record import read_batches
from tasks.sources.resolved_sources import ResolvedSource
from tasks.sources.vault_writer import VaultWriter
from tasks.stages.data.ingest.source_reader import ReadContext, read_source

MAX_FOLDERS_PER_SOURCE = 2
"""Maximum number of cached folders for each source: the newest, and one more in case a change is reverted."""
SEAL_FILE = "seal"
"""Name of the file with the HMAC-SHA256, in hex, of a cached folder's name and manifest."""


@dataclass(frozen=True)
class CachedSource:
    folder: Path
    """Folder with counts.json and the tables of `source_reader.TABLE_SCHEMAS`."""
    was_read: bool


@contextmanager
def open_cached_source(resolved: ResolvedSource, context: ReadContext, layout: Layout) -> Iterator[CachedSource]:
    """Yield the cached tables of a source. The source is read only if the cache has no usable tables.

    The tables are not deleted before the `with` block ends. If two runs need the same source, the second run waits, and
    then uses the tables that the first has written.
    """
    name = resolved.source.id
    home = cache_folder(layout) / name
    with hold_exclusive_lock(home / ".lock", f"another run reads source {name}"):
        target = home / cache_key(resolved, context, layout)
        fresh = not _is_usable(target, context.vault)
        if fresh:
            with atomic_folder(target) as aside:
                read_source(resolved, context, aside)
                write_bytes(aside / SEAL_FILE, _compute_seal(target.name, tree_manifest(aside), context.vault).encode())
        os.utime(target)
        _delete_old_folders(home)
        yield CachedSource(target, fresh)


def cache_folder(layout: Layout) -> Path:
    return layout.cache_folder("ingested", "ingest")


def cache_key(resolved: ResolvedSource, context: ReadContext, layout: Layout) -> str:
    """Return a digest of everything that affects the tables of a source: content, settings, code and libraries.

    The prompt of the source's task is left out, because `ingest` only checks that params.yaml has the task.
    """
    return sha256_bytes(
        canonical_json(
            {
                "source": resolved.model_dump(mode="json"),
                "terms": context.resolved.model_dump(mode="json")["terms"],
                "as_of": context.resolved.as_of.isoformat(),
                "suppressed": context.resolved.suppressed,
                "vault": context.resolved.vault,
                "max_malformed_share": context.max_malformed_share,
                "code": read_json(layout.stage_digests_path)["ingest"],
                "libraries": sha256_file(layout.root / "constraints.txt"),
                "python": platform.python_version(),  # whose Unicode tables decide how texts are normalised
            }
        )
    )


def _is_usable(target: Path, vault: VaultWriter) -> bool:
    if not target.exists() and not target.is_symlink():
        return False
    if not _is_intact(target, vault):
        print(f"what is kept of source {target.parent.name} is damaged; reading it again", flush=True)
        return False
    unknown = sum(
        len(vault.find_missing_tokens(batch["token"].to_pylist())) for batch in read_batches(target / "tokens.parquet")
    )
    if unknown:
        print(f"the vault does not know {unknown} tokens of source {target.parent.name}; reading it again", flush=True)
    return not unknown


def _is_intact(target: Path, vault: VaultWriter) -> bool:
    if target.is_symlink():  # it may lead to files that Hallmark did not write
        return False
    try:
        digests = tree_manifest(target)
        seal = (target / SEAL_FILE).read_bytes() if digests.pop(SEAL_FILE, None) else b""
    except (OSError, ValueError):
        return False
    return hmac.compare_digest(seal, _compute_seal(target.name, digests, vault).encode())


def _compute_seal(name: str, files: dict[str, str], vault: VaultWriter) -> str:
    return hmac.digest(vault.keys.seals, canonical_json([name, files]), "sha256").hex()


def _delete_old_folders(home: Path) -> None:
    folders = [path for path in home.iterdir() if path.is_dir()]
    pieces = sorted((path for path in folders if path.name[0] != "."), key=lambda path: path.stat().st_mtime)
    for old in [*(path for path in folders if path.name[0] == "."), *pieces[:-MAX_FOLDERS_PER_SOURCE]]:
        shutil.rmtree(old)
