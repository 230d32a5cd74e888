"""What a stage left: plain files in plain folders, or nothing of it counts."""

import errno
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tasks.core.errors import Refused

DEEPEST = 40
"""Folders in each other."""
SMALL = 2**20
"""Bytes up to which a file is not looked through for holes."""
BLOCK = 512
"""Bytes of what `st_blocks` counts. Where a file system compresses, it says too little."""


def take(left: Path, target: Path, stage: str) -> None:
    """Move what `stage` left to `target`, whole, in place of what is there. No process of the stage may be left.

    Raises Refused where something in it is no plain file or folder: a link, a pipe, a device, a file that runs as
    somebody else or that says it is larger than it is.
    """
    try:
        found = list(_all(left))
        for path in found:
            if why := _why_not(path):
                raise Refused(
                    f"stage {stage} left {_shown(path.relative_to(left.parent))}, which {why}; nothing of it is taken"
                )
        for path in found:
            path.chmod(0o700 if path.is_dir() else 0o600)
    except OSError as error:
        raise Refused(f"what stage {stage} left cannot be read ({error.strerror}); nothing of it is taken") from None
    if target.exists():
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    target.parent.mkdir(parents=True, exist_ok=True)
    left.rename(target)


def within(left: Path, folder: str, stage: str) -> Path:
    """The folder of a stage in what it may write. Raises Refused where a link leads there, or to what it lies in."""
    path = left
    for part in PurePosixPath(folder).parts:
        path = path / part
        if path.is_symlink():
            raise Refused(
                f"stage {stage} left {path.relative_to(left.parent)}, which is a link; nothing of it is taken"
            )
    return path


def remove_strange(folder: Path) -> list[Path]:
    """Remove all but plain files and folders from a folder that stages keep: links, which others follow, and pipes,
    which others wait for. Returns which these were.

    Other stages may be at work there. Raises Refused where its folders lie too deep in each other.
    """
    try:
        strange = [path for path in _all(folder) if path.is_symlink() or not (path.is_file() or path.is_dir())]
    except OSError as error:
        raise Refused(f"{folder} cannot be looked through ({error.strerror}); remove what lies there") from None
    for path in strange:
        path.unlink(missing_ok=True)
    return strange


def remove(folder: Path) -> None:
    """Whatever lies there, however deep. What cannot be removed stays and stops nobody."""
    subprocess.run(["rm", "-rf", "--", folder], check=False, capture_output=True)


def _all(folder: Path) -> Iterator[Path]:
    """Raises OSError for folders that lie too deep."""
    found = [folder]
    while found:
        path = found.pop()
        try:
            inside = list(path.iterdir()) if stat.S_ISDIR(path.lstat().st_mode) else []
        except FileNotFoundError:  # in a folder that several stages keep
            continue
        yield path
        if inside and len(path.parts) - len(folder.parts) >= DEEPEST:
            raise OSError(errno.ENAMETOOLONG, "its folders lie too deep in each other")
        found += inside


def _why_not(path: Path) -> str | None:
    """What is wrong with a file or folder."""
    found = path.lstat()
    if not _is_text(path.name):
        return "has a name that is no UTF-8"
    if stat.S_ISDIR(found.st_mode):
        return None
    if not stat.S_ISREG(found.st_mode):
        return "is no plain file"
    if found.st_nlink > 1:
        return "has another name as well"
    if found.st_mode & (stat.S_ISUID | stat.S_ISGID):
        return "would run as somebody else"
    half = found.st_size // 2
    if found.st_size > SMALL and found.st_blocks * BLOCK < half and _holds(path) < half:
        return f"says that it has {found.st_size:,} bytes and has fewer"
    return None


def _shown(path: Path) -> str:
    return str(path).encode(errors="backslashreplace").decode()


def _is_text(name: str) -> bool:
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False


def _holds(path: Path) -> int:
    """Bytes of a file that are no hole."""
    handle, held, place = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), 0, 0
    try:
        size = os.fstat(handle).st_size
        while place < size:
            begin = os.lseek(handle, place, os.SEEK_DATA)
            place = os.lseek(handle, begin, os.SEEK_HOLE)
            held += place - begin
    except OSError:  # no data after this place
        return held
    finally:
        os.close(handle)
    return held
