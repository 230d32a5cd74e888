"""Files of a run that are removed, and those that stay.

Parameters, inputs, gate statements, evidence and dvc.lock stay in the folder of the run, and its commits in git. From
these an auditor sees what the run was, and which outputs it had, by digest.
"""

from collections.abc import Iterable
from pathlib import Path

from tasks.core.layout import Layout
from tasks.runs.git.repository import worktree_git_folder
from tasks.runs.outputs import dvc
from tasks.runs.run import COMMITTED_PATHS
from tasks.supervise import output_check

KEPT_NAMES = frozenset(COMMITTED_PATHS) - frozenset(dvc.FIXED_FILES)
"""Names in the folder of a run that stay."""


def removable_paths(layout: Layout) -> list[Path]:
    """Return the files and folders of a run that are removed. Files of git come first: without them it cannot go on."""
    git_files = [path for path in (worktree_git_folder(layout.root), layout.root / ".git") if path.exists()]
    others = [path for path in sorted(layout.root.iterdir()) if path.name not in (*KEPT_NAMES, ".git")]
    return git_files + others


def size_in_bytes(paths: Iterable[Path]) -> int:
    """Return the size of files and folders on the disk. Links are not followed."""
    return sum(_size(path) for path in paths)


def remove(path: Path) -> None:
    """Remove a file or folder, even if a stage has made it read-only."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    else:
        output_check.remove_forcibly(path)


def _size(path: Path) -> int:
    try:
        own = path.lstat().st_blocks * 512
        if path.is_dir() and not path.is_symlink():
            own += sum(_size(child) for child in path.iterdir())
    except OSError:  # a process removed it meanwhile
        return 0
    return own
