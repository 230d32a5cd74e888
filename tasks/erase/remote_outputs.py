"""Outputs of runs in DVC's default remote. Hallmark removes them from a folder; other stores have their own tools.

Other checkouts may share the remote, and what their runs need is not known here. So only objects in which something of
the person is found are removed. Others of the same runs, such as weights, stay.
"""

from pathlib import Path

from tasks.cleanup import plan as cleanup_plan
from tasks.cleanup import run_files
from tasks.core.errors import Refused
from tasks.core.layout import EXPERIMENTS_FOLDER
from tasks.erase import file_contents
from tasks.erase.places import Places
from tasks.erase.search_terms import SHORT_VALUE, SearchTerms
from tasks.erase.subject import Subject
from tasks.runs.outputs import dvc
from tasks.runs.outputs.cached_objects import CachedObjects


def find_places(root: Path, subject: Subject) -> Places:
    """Return the outputs in the remote. Of a remote that is no folder, only the number of runs is known."""
    url = remote_url(root) if subject.runs else None
    if url is None:
        return Places(0, "")
    if _is_folder(url):
        return Places(len(find_objects(root, url, subject)), "files with something of the person")
    return Places(len(subject.runs), "what these runs pushed")


def remote_url(root: Path) -> str | None:
    """Return the location of DVC's default remote; None if there is none."""
    texts = [path.read_text(errors="replace") for path in (root / ".dvc").glob("config*") if path.is_file()]
    if not any("remote" in text for text in texts):  # without importing DVC, which takes half a second
        return None
    return dvc.default_remote_url(root)


def find_objects(root: Path, url: str, subject: Subject) -> list[Path]:
    """Return the objects of the person's runs that no other run of this checkout uses, with something of the person."""
    folders = [base / "files" / "md5" for base in (Path(url), Path(url) / EXPERIMENTS_FOLDER)]
    state = root / ".hallmark"
    terms = SearchTerms(subject)
    unused = cleanup_plan.find_cached(state, subject.runs, CachedObjects(state, folders)).objects
    return [path for path in unused if _names_person(path, terms)]


def _names_person(path: Path, terms: SearchTerms) -> bool:
    blocks = file_contents.read_contents(path, lambda _: None)
    return any(terms.find(block) - {SHORT_VALUE} for block in blocks)


def remove_objects(root: Path, subject: Subject) -> None:
    """Remove the outputs with something of the person from the remote.

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
    for path in find_objects(root, url, subject):
        run_files.remove(path)


def _is_folder(url: str) -> bool:
    return "://" not in url
