"""Outputs of runs in DVC's default remote. Hallmark removes them from a folder; other stores have their own tools."""

from pathlib import Path

from tasks.cleanup import plan as cleanup_plan
from tasks.cleanup import run_files
from tasks.core.errors import Refused
from tasks.core.layout import EXPERIMENTS_FOLDER
from tasks.erase.places import Places
from tasks.runs.outputs import dvc
from tasks.runs.outputs.cached_objects import CachedObjects


def find_places(root: Path, runs: list[str]) -> Places:
    """Return the outputs of runs in the remote. Of a remote that is no folder, only the number of runs is known."""
    url = remote_url(root) if runs else None
    if url is None:
        return Places(0, "")
    if _is_folder(url):
        return Places(len(find_objects(root, url, runs)), "files")
    return Places(len(runs), "what these runs pushed")


def remote_url(root: Path) -> str | None:
    """Return the location of DVC's default remote; None if there is none."""
    texts = [path.read_text(errors="replace") for path in (root / ".dvc").glob("config*") if path.is_file()]
    if not any("remote" in text for text in texts):  # without importing DVC, which takes half a second
        return None
    return dvc.default_remote_url(root)


def find_objects(root: Path, url: str, runs: list[str]) -> list[Path]:
    folders = [base / "files" / "md5" for base in (Path(url), Path(url) / EXPERIMENTS_FOLDER)]
    state = root / ".hallmark"
    return cleanup_plan.find_cached(state, runs, CachedObjects(state, folders)).objects


def remove_objects(root: Path, runs: list[str]) -> None:
    """Remove the outputs of runs from the remote.

    Raises:
        Refused: The remote is no folder.
    """
    url = remote_url(root)
    if url is None:
        return
    if not _is_folder(url):
        raise Refused(
            f"DVC's remote is at {url}, where Hallmark removes nothing: remove what these runs pushed with the tools "
            "of the store, then decide to keep it until the day on which the store forgets it: hallmark erase decide"
        )
    for path in find_objects(root, url, runs):
        run_files.remove(path)


def _is_folder(url: str) -> bool:
    return "://" not in url
