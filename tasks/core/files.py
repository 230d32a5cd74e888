"""Digests, canonical JSON, and outputs that appear whole or not at all."""

import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

from tasks.core.shown import json_text

_PIECE = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{,]', re.DOTALL)
"""A text that never ends is one too: whoever looks for the next piece never looks twice at a byte."""

UMASK = 0o077
"""The umask under which state is made: it holds what its owner alone may read."""


def sha256_bytes(data: bytes) -> str:
    """SHA-256 as 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree_manifest(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below `folder`, by POSIX path relative to it, sorted. Links are refused."""
    digests = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise ValueError(f"{path} is a symbolic link; digested folders hold plain files only")
        if path.is_file():
            digests[path.relative_to(folder).as_posix()] = sha256_file(path)
    return digests


def tree_digest(folder: Path) -> str:
    """One SHA-256 for a folder: that of the canonical JSON of its manifest."""
    return sha256_bytes(canonical_json(tree_manifest(folder)))


def path_digest(path: Path) -> str:
    """`sha256_file` of a file, `tree_digest` of a folder."""
    return tree_digest(path) if path.is_dir() else sha256_file(path)


def canonical_json(value: Any) -> bytes:
    """The one spelling of a JSON value: keys sorted, no spaces, UTF-8, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def open_plain(path: Path) -> IO[bytes]:
    """Open a file that somebody else made. Raises OSError, also for a pipe or a device: to read one may never end."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no file but a folder, a pipe or a device", str(path))
    return os.fdopen(handle, "rb")


def read_at_most(path: Path, most: int) -> bytes:
    """A file that somebody else made. Raises OSError or, where it has more than `most` bytes, ValueError."""
    with open_plain(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it has more than {most:,} bytes, and what belongs there never has")
    return data


def json_of_others(data: bytes, pieces: int) -> Any:
    """The value of JSON that somebody else made; ValueError where it is none, or has more than `pieces` pieces.

    A piece is a text, a comma, or where a list or an object begins. They are counted first: five million empty lists
    in 15 MB take 450 MB and four seconds to parse.
    """
    if next(islice(_PIECE.finditer(data), pieces, None), None):
        raise ValueError(f"it has more than {pieces:,} values, and what belongs there never has")
    return json.loads(data)


def read_json(path: Path) -> Any:
    return json.loads(path.read_bytes())


def write_json(path: Path, value: Any) -> None:
    """Write readable, deterministic JSON; the file appears whole or not at all."""
    text = json_text(value, sort_keys=True, indent=2, allow_nan=False) + "\n"
    write_bytes(path, text.encode())


def write_bytes(path: Path, data: bytes, mode: int | None = None) -> None:
    """Write a file whole or not at all, as `whole_file` does."""
    with whole_file(path, mode) as file:
        file.write(data)


@contextmanager
def whole_file(path: Path, mode: int | None = None) -> Iterator[IO[bytes]]:
    """Yield a file aside that replaces `path` when the block ends well, flushed to disk, and vanishes otherwise.

    `mode` is its permissions. Without one it keeps those of the file that it replaces; a new one has what the umask
    leaves.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if mode is None and path.exists():
        mode = stat.S_IMODE(path.stat().st_mode)
    aside = _aside(path)
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            aside.chmod(mode)
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _aside(path: Path) -> Path:
    """A name beside `path` that nobody else takes."""
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}")


def aside_of(path: Path) -> Path:
    """What is written whole under this name first, which `_aside` gave; the path itself where it is no such name."""
    match = re.fullmatch(r"\.(.+)\.[0-9a-f]{16}", path.name)
    return path.with_name(match.group(1)) if match else path


def write_new(path: Path, data: bytes) -> bool:
    """Write a private file (mode 0600) that is not there yet; False where it is.

    Written aside and linked: of two processes that make the same file one wins, and nobody sees half of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fsync(file.fileno())
        path.hardlink_to(aside)
    except FileExistsError:
        return False
    finally:
        Path(aside).unlink()
    return True


@contextmanager
def whole_folder(target: Path, mode: int | None = None) -> Iterator[Path]:
    """Yield an empty folder beside `target` that replaces it when the block ends well, and vanishes otherwise.

    `mode` is its permissions; without one it has what the umask leaves. All that it holds is on the disk before it has
    its name, so that a power cut leaves no file of it empty. One process at a time makes a target, so what lies aside
    already was left by one that was killed, and goes.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.iterdir():
        if left != target and aside_of(left) == target:
            shutil.rmtree(left, ignore_errors=True)
    aside = _aside(target)
    aside.mkdir(mode=0o777 if mode is None else 0o700)
    try:
        yield aside
        if mode is not None:
            aside.chmod(mode)
        _flush(aside)
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)
        aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


FICLONE = 0x40049409
"""Of ioctl_ficlone(2): two files share what they hold until one of them is written."""
PIECE = 2**20
"""Bytes that are copied at once."""
SMALL = 2**12
"""Bytes up to which a file is not looked through for holes."""
COUNTED = 512
"""Bytes of what `st_blocks` counts. Where a file system compresses, it says too little."""


def copy(source: Path, target: Path) -> None:
    """A file of its own with the same bytes, as a reflink where the disk has those. Raises OSError for a link."""
    with os.fdopen(os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        copy_open(file, target)


def copy_open(file: IO[bytes], target: Path) -> None:
    """The same of a file that is open: as many bytes as it has now."""
    left = os.fstat(file.fileno()).st_size
    with target.open("xb") as made:
        try:
            fcntl.ioctl(made.fileno(), FICLONE, file.fileno())
        except OSError:
            while part := file.read(min(left, PIECE)):
                made.write(part)
                left -= len(part)


def is_hollow(handle: int) -> bool:
    """Whether less than half of an open file is on its disk: whoever reads it reads what nobody wrote, without end."""
    found = os.fstat(handle)
    half = found.st_size // 2
    return found.st_size > SMALL and found.st_blocks * COUNTED < half and _held(handle, found.st_size) < half


def _held(handle: int, size: int) -> int:
    """Bytes of a file that are no hole. It is read from its beginning afterwards."""
    held, place = 0, 0
    try:
        while place < size:
            begin = os.lseek(handle, place, os.SEEK_DATA)
            place = os.lseek(handle, begin, os.SEEK_HOLE)
            held += place - begin
    except OSError:  # no data after this place
        pass
    finally:
        os.lseek(handle, 0, os.SEEK_SET)
    return held


def copy_tree(source: Path, target: Path, copy: Callable[[Path, Path], object] = copy) -> None:
    """Copy a folder's files into `target`, file by file with `copy`. Permissions are those of what is made here, not
    the source's: a model folder that everybody may enter does not open the state that it is copied to."""
    target.mkdir(exist_ok=True)
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        place.mkdir() if path.is_dir() else copy(path, place)


def _flush(folder: Path) -> None:
    """Have the system write what it still holds in memory of the files and folders below `folder`, and of itself.

    That waits for the disk: milliseconds where little was written, a second or several for each gigabyte.
    """
    for path in (*folder.rglob("*"), folder):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            continue
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
