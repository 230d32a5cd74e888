"""Tree of a commit: its allowed contents, its digest, and the comparison of a worktree with it.

Most git repositories use SHA-1, for which collisions can be created, and git passes files on disk through filters that
any user's configuration can set. The tree is therefore read from git once, with the SHA-256 digest of each file. Files
on disk, including those that git ignores, are compared with these digests without git.
"""

import os
import posixpath
import stat
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import BYTECODE_SUFFIXES, EXTENSION_SUFFIXES, PathFinder
from pathlib import Path

from tasks.core.errors import InputError
from tasks.core.files import final_path, sha256_bytes, sha256_file
from tasks.runs.git.repository import Repository

FILE_MODE, EXECUTABLE_MODE, LINK_MODE, SUBMODULE_MODE = "100644", "100755", "120000", "160000"
"""Git modes of a file, an executable file, a symbolic link and a submodule."""

PYTHON_FOLDERS = ("benchmarks", "docs", "examples", "flows", "hallmark", "infra", "tasks", "tests")
"""Top-level folders that are allowed to contain Python modules even if an installed package has the same name."""
STATE_FOLDER = ".hallmark"
STARTUP_MODULES = ("sitecustomize", "usercustomize")
"""Modules that Python imports automatically when it starts."""
RUN_OUTPUT_PATHS = ("artefacts", "measured", "inputs", "gates", "evidence", ".dvc/tmp", ".dvc/config.local")
"""Paths to which a run writes. A commit must not contain them, because their files could be mistaken for outputs."""
COMPILED_SUFFIXES = (*BYTECODE_SUFFIXES, *EXTENSION_SUFFIXES, ".pyo", ".pyd")
MAX_LISTED_PATHS = 10


@dataclass(frozen=True)
class TreeEntry:
    path: str
    mode: str
    sha256: str
    """SHA-256 digest of a file's content or of a link's target."""


@dataclass(frozen=True)
class CommitTree:
    """Tree of a commit whose contents are all allowed in a run."""

    entries: tuple[TreeEntry, ...]

    @cached_property
    def sha256(self) -> str:
        """SHA-256 digest of all entries as `MODE SHA256 PATH`, each followed by a zero byte, in git's order."""
        lines = (os.fsencode(f"{entry.mode} {entry.sha256} {entry.path}\0") for entry in self.entries)
        return sha256_bytes(b"".join(lines))

    def differing_paths(self, worktree: Path, ignored_paths: Sequence[str]) -> list[str]:
        """Return the sorted paths of a worktree that differ from this tree.

        Args:
            worktree: Root folder of the worktree.
            ignored_paths: Files and folders that are not compared. Temporary files that a killed process has left next
                to them are not compared either.
        """
        here = {entry.path: entry for entry in self.entries if not _is_below(entry.path, ignored_paths)}
        on_disk = {path: _entry_on_disk(worktree, path) for path in _worktree_paths(worktree, ignored_paths)}
        return sorted(path for path in here.keys() | on_disk.keys() if here.get(path) != on_disk.get(path))


def read_tree(checkout: Repository, commit: str) -> CommitTree:
    """Return the tree of a commit.

    Raises:
        InputError: The tree has contents that are not allowed in a run; the message lists the paths.
    """
    lines = checkout.run_git_bytes("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")
    listed = [_parse_entry(line) for line in lines if line]
    contents = checkout.read_blobs([name for _, mode, name in listed if mode != SUBMODULE_MODE])
    targets = {path: os.fsdecode(contents[name].first_block) for path, mode, name in listed if mode == LINK_MODE}
    if problems := list(_find_problems([(path, mode) for path, mode, _ in listed], targets, checkout.root)):
        text = "\n".join(f"  {problem}" for problem in problems[:MAX_LISTED_PATHS])
        more = f"\n  … and {len(problems) - MAX_LISTED_PATHS} more" if len(problems) > MAX_LISTED_PATHS else ""
        raise InputError(
            f"commit {commit[:12]} holds what a run is not made of:\n{text}{more}\n"
            "take it out of git, commit that, and ask again"
        )
    return CommitTree(tuple(TreeEntry(path, mode, contents[name].sha256) for path, mode, name in listed))


def _parse_entry(line: bytes) -> tuple[str, str, str]:
    about, _, path = line.partition(b"\t")
    mode, _, name = about.decode().split()
    return os.fsdecode(path), mode, name


def _find_problems(listed: Sequence[tuple[str, str]], targets: dict[str, str], root: Path) -> Iterator[str]:
    names = Counter(path for path, _ in listed)
    folders = _folders_of(names)
    for path in sorted(path for path, count in names.items() if count > 1 or path in folders):
        yield f"{path}: two entries of one name, of which git shows one and a worktree has the other"
    for path, mode in listed:
        if mode == SUBMODULE_MODE:
            yield f"{path}: another repository (a submodule), whose files the commit does not hold"
        elif mode == LINK_MODE and _can_leave_tree(path, targets[path]):
            yield f"{path}: a link that leads out of the tree, to {targets[path]}"
        elif _is_below(path, RUN_OUTPUT_PATHS):
            yield f"{path}: what a run makes itself, for which it could be taken"
        elif _is_below(path, (STATE_FOLDER,)):
            yield f"{path}: what Hallmark keeps on a machine, for which it could be taken"
        elif path.endswith(COMPILED_SUFFIXES) or "__pycache__" in path.split("/"):
            yield f"{path}: compiled code, which may do something else than the source that is reviewed"
    tops = {posixpath.normpath(path).split("/")[0] for path, _ in listed if path.endswith(".py")}
    for top in sorted(tops):
        if why := _shadowed_module(top.removesuffix(".py"), root):
            yield f"{top}: a module at the top with the name of {why}, in whose place it could be imported"


def _folders_of(paths: Iterable[str]) -> set[str]:
    """Return all folders above the paths. `PurePosixPath.parents` of a thousand paths took a fifth of a second."""
    found = {"."}
    for path in paths:
        folder = posixpath.dirname(path)
        while folder and folder not in found:
            found.add(folder)
            folder = posixpath.dirname(folder)
    return found


def _can_leave_tree(path: str, target: str) -> bool:
    """Return whether a link can lead out of the tree.

    A target with `..` after the name of a folder counts too, because that folder can itself be a link.
    """
    whole = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    plain = posixpath.normpath(target) == target.rstrip("/")
    return target.startswith("/") or whole == ".." or whole.startswith("../") or not plain


def _shadowed_module(name: str, root: Path) -> str:
    if name in STARTUP_MODULES:
        return "what Python runs as it starts"
    if name in sys.stdlib_module_names:
        return "a module of the standard library"
    elsewhere = [path for path in sys.path if path and Path(path).resolve() != root]
    if name not in PYTHON_FOLDERS and PathFinder.find_spec(name, elsewhere) is not None:
        return "a package that is installed"
    return ""


def _is_below(path: str, folders: Sequence[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _worktree_paths(worktree: Path, but: Sequence[str]) -> Iterator[str]:
    for folder, names, files in os.walk(worktree):
        place = Path(folder).relative_to(worktree)
        links = [name for name in names if Path(folder, name).is_symlink()]
        names[:] = [name for name in names if name not in links and not _is_below((place / name).as_posix(), but)]
        for path in ((place / name).as_posix() for name in files + links):
            if not _is_below(path, but) and final_path(Path(path)).as_posix() not in but:
                yield path


def _entry_on_disk(worktree: Path, path: str) -> TreeEntry:
    place = worktree / path
    mode = place.lstat().st_mode
    if stat.S_ISLNK(mode):
        return TreeEntry(path, LINK_MODE, sha256_bytes(os.fsencode(place.readlink())))
    if not stat.S_ISREG(mode):  # a pipe or a device, which git cannot hold
        return TreeEntry(path, oct(mode), "")
    return TreeEntry(path, EXECUTABLE_MODE if mode & stat.S_IXUSR else FILE_MODE, sha256_file(place))
