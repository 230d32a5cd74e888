"""Digests, bounded reading of untrusted files, and atomic writes of files and folders."""

import errno
import fcntl
import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tasks.core.escaping import escaped_json
from tasks.core.json_text import canonical_json, limit_pieces, parse

MAX_STAGE_JSON_BYTES = 64 * 2**20
MAX_STAGE_JSON_PIECES = 2_000_000
"""Maximum number of strings, commas, lists and objects in a JSON file that a stage wrote. A file with a loss curve of
100,000 steps has half as many."""

STATE_UMASK = 0o077
"""Umask for Hallmark's state, which only its owner is allowed to read."""


def sha256_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_manifest(folder: Path) -> dict[str, str]:
    """Return a mapping from relative POSIX path to SHA-256 for every file below a folder, sorted by path.

    Raises:
        ValueError: The folder contains a symbolic link.
    """
    digests = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise ValueError(f"{path} is a symbolic link; digested folders hold plain files only")
        if path.is_file():
            digests[path.relative_to(folder).as_posix()] = sha256_file(path)
    return digests


def tree_digest(folder: Path) -> str:
    return sha256_bytes(canonical_json(tree_manifest(folder)))


def path_digest(path: Path) -> str:
    return tree_digest(path) if path.is_dir() else sha256_file(path)


def open_regular_file(path: Path) -> IO[bytes]:
    """Open an untrusted file for reading.

    Raises:
        OSError: The file cannot be opened, or is a folder, pipe or device. Reading a pipe or device might never end.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no file but a folder, a pipe or a device", str(path))
    return os.fdopen(handle, "rb")


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """Read an untrusted file, up to a maximum size.

    Raises:
        OSError: The file cannot be opened, or is not a regular file.
        ValueError: The file has more than `max_bytes` bytes.
    """
    with open_regular_file(path) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise ValueError(f"it has more than {max_bytes:,} bytes, and what belongs there never has")
    return data


def read_stage_json(path: Path) -> Any:
    """Parse a JSON file that a stage wrote.

    A run's own code is executed as a stage, so the file can contain anything.

    Raises:
        OSError: The path is a link, is not a file or cannot be opened.
        ValueError: The file is too large or is not JSON.
    """
    return parse(read_stage_bytes(path))


def read_stage_bytes(path: Path) -> bytes:
    if path.is_symlink():
        raise OSError(errno.ELOOP, "it is a link", str(path))
    data = read_bounded(path, MAX_STAGE_JSON_BYTES)
    limit_pieces(data, MAX_STAGE_JSON_PIECES)
    return data


def read_json(path: Path) -> Any:
    return parse(path.read_bytes())


def write_json(path: Path, value: Any) -> None:
    """Write a value atomically as indented JSON with sorted keys."""
    text = escaped_json(value, sort_keys=True, indent=2, allow_nan=False) + "\n"
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes, mode: int | None = None) -> None:
    with atomic_file(path, mode) as file:
        file.write(data)


@contextmanager
def atomic_file(path: Path, mode: int | None = None) -> Iterator[IO[bytes]]:
    """Write a file atomically.

    Args:
        path: File to create or replace. Its folder is created if necessary.
        mode: Permissions of the file. If None, a replaced file keeps its permissions, and a new file gets the default
            permissions that the umask allows.

    Yields:
        Temporary file in the same folder. If the block succeeds, the file is flushed to disk and renamed to `path`;
        otherwise it is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode is None and path.exists():
        mode = stat.S_IMODE(path.stat().st_mode)
    temporary_path = _temporary_path(path)
    handle = os.open(temporary_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary_path.chmod(mode)
        temporary_path.replace(path)
    except BaseException:
        temporary_path.unlink(missing_ok=True)
        raise


def _temporary_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def final_path(path: Path) -> Path:
    """Return the final path of a temporary file of `atomic_file`. Any other path is returned unchanged."""
    match = re.fullmatch(r"\.(.+)\.[0-9a-f]{16}", path.name)
    return path.with_name(match.group(1)) if match else path


def create_private_file(path: Path, data: bytes) -> bool:
    """Create a private file (mode 0600). Return False if the file already exists.

    The content is written to a temporary file, which is then hard-linked. So if two processes create the same file,
    only one of them succeeds, and no process reads a partial file. On a file system without hard links, such as FAT, an
    empty file is created first and then replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary_path = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fsync(file.fileno())
        _link_or_replace(Path(temporary_path), path)
    except FileExistsError:
        return False
    finally:
        Path(temporary_path).unlink(missing_ok=True)
    return True


def _link_or_replace(temporary_path: Path, path: Path) -> None:
    try:
        path.hardlink_to(temporary_path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        temporary_path.replace(path)


@contextmanager
def atomic_folder(target: Path, mode: int | None = None) -> Iterator[Path]:
    """Write a folder atomically.

    The files in the folder are flushed to disk before it is renamed, so that a power cut leaves none of them empty.
    Temporary folders that killed processes left behind are removed. So only one process at a time may write a target.

    Args:
        target: Folder to create or replace.
        mode: Permissions of the folder; None for the default permissions that the umask allows.

    Yields:
        Empty temporary folder next to `target`. If the block succeeds, the folder is renamed to `target`; otherwise it
        is removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in _temporary_folders(target):
        shutil.rmtree(left, ignore_errors=True)
    with _temporary_folder(target, mode) as temporary_path:
        yield temporary_path
        _finish_folder(temporary_path, mode)
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
        temporary_path.rename(target)


class FolderTakenError(Exception):
    """Raised if a folder that should be new is being written, or was written, by another process."""


@contextmanager
def new_atomic_folder(target: Path, mode: int | None = None) -> Iterator[Path]:
    """Write a new folder atomically. Other processes may try to write the same folder.

    In contrast to `atomic_folder`, nothing is removed that another process writes or has written. If several processes
    try, one of them succeeds.

    Raises:
        FolderTakenError: The target exists and is not an empty folder, or another process is writing it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in _temporary_folders(target):
        with _folder_lock(left, wait=False) as is_ours:
            if not is_ours:
                raise FolderTakenError(target)
            shutil.rmtree(left, ignore_errors=True)
    with _temporary_folder(target, mode) as temporary_path, _folder_lock(temporary_path, wait=True) as is_ours:
        if not is_ours or not temporary_path.is_dir():  # another process took it for one that was left behind
            raise FolderTakenError(target)
        yield temporary_path
        _finish_folder(temporary_path, mode)
        try:
            temporary_path.rename(target)  # replaces an empty folder, and nothing else
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise FolderTakenError(target) from None
            raise


@contextmanager
def _temporary_folder(target: Path, mode: int | None) -> Iterator[Path]:
    temporary_path = _temporary_path(target)
    temporary_path.mkdir(mode=0o777 if mode is None else 0o700)
    try:
        yield temporary_path
    finally:
        shutil.rmtree(temporary_path, ignore_errors=True)


@contextmanager
def _folder_lock(folder: Path, wait: bool) -> Iterator[bool]:
    """Lock a folder during the block, and yield whether it could be locked."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_locked = True
    except BlockingIOError:
        is_locked = False
    try:
        yield is_locked
    finally:
        os.close(handle)


def _temporary_folders(target: Path) -> list[Path]:
    return [path for path in target.parent.iterdir() if path != target and final_path(path) == target]


def _finish_folder(temporary_path: Path, mode: int | None) -> None:
    if mode is not None:
        temporary_path.chmod(mode)
    _flush_to_disk(temporary_path)


FICLONE_REQUEST = 0x40049409
"""Request number of ioctl_ficlone(2), which makes two files share their blocks until one of them is modified."""
COPY_BLOCK_BYTES = 2**20
MIN_SPARSE_FILE_BYTES = 2**12
STAT_BLOCK_BYTES = 512
"""Number of bytes per block that `st_blocks` counts. On file systems with compression, the blocks can be smaller in
total than the data."""


def copy_file(source: Path, target: Path) -> None:
    """Copy a file, as a reflink if the file system supports it.

    Raises:
        OSError: The source is a symbolic link or cannot be read, or the target exists or cannot be written.
    """
    with os.fdopen(os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        copy_open_file(file, target)


def copy_open_file(file: IO[bytes], target: Path) -> None:
    """Copy an open file, as a reflink if the file system supports it. Bytes appended during the copy are not copied."""
    left = os.fstat(file.fileno()).st_size
    with target.open("xb") as made:
        try:
            fcntl.ioctl(made.fileno(), FICLONE_REQUEST, file.fileno())
        except OSError:
            while part := file.read(min(left, COPY_BLOCK_BYTES)):
                made.write(part)
                left -= len(part)


def is_sparse(file_descriptor: int) -> bool:
    """Return whether more than half of an open file consists of holes.

    Such a file is small on disk but takes long to read.
    """
    found = os.fstat(file_descriptor)
    half = found.st_size // 2
    return (
        found.st_size > MIN_SPARSE_FILE_BYTES
        and found.st_blocks * STAT_BLOCK_BYTES < half
        and _count_data_bytes(file_descriptor, found.st_size) < half
    )


def _count_data_bytes(file_descriptor: int, size: int) -> int:
    held, place = 0, 0
    try:
        while place < size:
            begin = os.lseek(file_descriptor, place, os.SEEK_DATA)
            place = os.lseek(file_descriptor, begin, os.SEEK_HOLE)
            held += place - begin
    except OSError:  # only a hole follows
        pass
    finally:
        os.lseek(file_descriptor, 0, os.SEEK_SET)
    return held


def copy_tree(source: Path, target: Path, copy_one_file: Callable[[Path, Path], object] = copy_file) -> None:
    """Copy all files and folders in `source` to `target`, using the function `copy_one_file` for each file.

    Permissions are not copied, so that no folder in Hallmark's state becomes accessible to all users.
    """
    target.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        place.mkdir() if path.is_dir() else copy_one_file(path, place)


def _flush_to_disk(folder: Path) -> None:
    """Flush a folder and everything in it to disk.

    This takes milliseconds if little was written, and one second or more per gigabyte.
    """
    for path in (*folder.rglob("*"), folder):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            continue
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
