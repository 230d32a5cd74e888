"""Check of a stage's outputs. They are accepted only if they consist of regular files and folders."""

import errno
import os
import shutil
import stat
import subprocess
from functools import partial
from pathlib import Path, PurePosixPath

from tasks.core import files
from tasks.core.errors import Refused, Unavailable, is_disk_full

MAX_DEPTH = 40
OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def copy_checked_output(sandbox_folder: Path, name: str, target: Path, stage: str) -> None:
    """Copy a file or folder that a stage has written, and replace what is at the target.

    Nothing happens if the stage has not written it. The stage must have ended. Other processes can still have its files
    open and write to them, so only the copies are used.

    Args:
        sandbox_folder: Folder to which the stage has written.
        name: Path of the file or folder in `sandbox_folder`.
        target: Path of the copy.
        stage: Name of the stage, for error messages.

    Raises:
        Refused: The output contains something other than regular files and folders, such as a link, a pipe, a device, a
            set-user-ID file or a sparse file.
        Unavailable: The disk is full.
    """
    handle = _open_output(sandbox_folder, name, stage)
    if handle is None:
        return
    temporary_path = target.with_name(f".{target.name}.taken")
    temporary_path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if temporary_path.exists():  # left by a supervisor that was killed
            remove_forcibly(temporary_path)
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            for inside, folders, names, place in os.fwalk(".", dir_fd=handle, onerror=_raise):
                _copy_folder(temporary_path / inside, folders, names, place, f"{name}/{inside}", stage)
        else:
            _copy_file(temporary_path, handle, name, stage)
    except OSError as error:
        remove_forcibly(temporary_path)
        if is_disk_full(error):
            raise Unavailable(
                f"what stage {stage} left is copied to {target.parent}, and there is no space left on that disk; free "
                "some and run it again"
            ) from None
        raise Refused(f"what stage {stage} left cannot be read ({error.strerror}); nothing of it is taken") from None
    except Refused:
        remove_forcibly(temporary_path)
        raise
    finally:
        os.close(handle)
    if target.exists():
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    temporary_path.rename(target)


def _raise(error: OSError) -> None:
    raise error


def _open_output(sandbox_folder: Path, name: str, stage: str) -> int | None:
    handle = os.open(sandbox_folder, OPEN_FLAGS | os.O_DIRECTORY)
    for part in PurePosixPath(name).parts:
        try:
            inner = os.open(part, OPEN_FLAGS, dir_fd=handle)
        except FileNotFoundError:
            return None
        except OSError:
            raise Refused(f"stage {stage} left {part}, which is no folder; nothing of it is taken") from None
        finally:
            os.close(handle)
        handle = inner
    return handle


def _copy_folder(
    target: Path, folders: list[str], names: list[str], descriptor: int, output_path: str, stage: str
) -> None:
    """Copy the files of the folder with file descriptor `descriptor`. Its path could lead to another folder by now."""
    target.mkdir(mode=0o700)
    if len(PurePosixPath(output_path).parts) >= MAX_DEPTH:
        raise OSError(errno.ENAMETOOLONG, "its folders lie too deep in each other")
    for name in folders:
        _require_regular(name, os.stat(name, dir_fd=descriptor, follow_symlinks=False), f"{output_path}/{name}", stage)
    for name in names:
        found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        _require_regular(name, found, f"{output_path}/{name}", stage)
        opened = os.open(name, OPEN_FLAGS, dir_fd=descriptor)
        try:
            _copy_file(target / name, opened, f"{output_path}/{name}", stage)
        finally:
            os.close(opened)


def _copy_file(target: Path, descriptor: int, output_path: str, stage: str) -> None:
    _require_regular(target.name, os.fstat(descriptor), output_path, stage, descriptor)
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        files.copy_open_file(file, target)
    target.chmod(0o600)


def _require_regular(
    name: str, file_status: os.stat_result, output_path: str, stage: str, descriptor: int | None = None
) -> None:
    if why := _describe_problem(name, file_status, descriptor):
        raise Refused(
            f"stage {stage} left {_printable(PurePosixPath(output_path))}, which {why}; nothing of it is taken"
        )


def remove_forcibly(folder: Path) -> None:
    """Remove a file or folder of any depth, even if its permissions forbid removal. Errors are ignored."""
    remove = partial(subprocess.run, ["rm", "-rf", "--", folder], check=False, capture_output=True)
    if remove().returncode:
        subprocess.run(["chmod", "-R", "u+rwX", "--", folder], check=False, capture_output=True)
        remove()


def _describe_problem(name: str, found: os.stat_result, handle: int | None) -> str | None:
    if not _is_utf8(name):
        return "has a name that is no UTF-8"
    if stat.S_ISDIR(found.st_mode):
        return None
    if not stat.S_ISREG(found.st_mode):
        return "is no plain file"
    if found.st_nlink > 1:
        return "has another name as well"
    if found.st_mode & (stat.S_ISUID | stat.S_ISGID):
        return "would run as somebody else"
    if handle is not None and files.is_sparse(handle):
        return f"says that it has {found.st_size:,} bytes and has fewer"
    return None


def _printable(path: PurePosixPath) -> str:
    return str(path).encode(errors="backslashreplace").decode()


def _is_utf8(name: str) -> bool:
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False
