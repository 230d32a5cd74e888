"""Files in DVC's caches of a checkout, by the entries of dvc.lock that name them.

An entry names a list of files for each output, and the list names the files. In the cache, all of them are objects,
each under the MD5 of its content.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.core.files import read_stage_json
from tasks.core.layout import EXPERIMENTS_FOLDER
from tasks.runs.outputs.dvc_cache import MD5, objects_folder

LIST_SUFFIX = ".dir"


class CachedObjects:
    def __init__(self, state: Path, folders: Sequence[Path] | None = None) -> None:
        """Initialise without reading any file.

        Args:
            state: State folder of the checkout. It has a cache for governed runs, and another for experiments.
            folders: Folders with objects, for example those of a remote; None for the caches of the checkout.
        """
        caches = [objects_folder(world) for world in (state, state / EXPERIMENTS_FOLDER)]
        self._folders = caches if folders is None else list(folders)
        self._members: dict[str, set[str]] = {}

    def ids(self, entry: Mapping[str, Any]) -> set[str]:
        """Return the ids of all objects that an entry of dvc.lock names, including its lists of files."""
        lists = list_ids(entry)
        return lists.union(*(self._members_of(each) for each in lists))

    def paths(self, ids: Iterable[str]) -> list[Path]:
        """Return the paths of objects, in each cache that has them."""
        places = (folder / each[:2] / each[2:] for each in sorted(ids) for folder in self._folders)
        return [path for path in places if path.exists()]

    def _members_of(self, list_id: str) -> set[str]:
        if list_id not in self._members:
            self._members[list_id] = set().union(*map(_read_members, self.paths([list_id])))
        return self._members[list_id]


def list_ids(entry: Mapping[str, Any]) -> set[str]:
    """Return the ids of the lists of files that an entry of dvc.lock names."""
    outs = entry.get("outs")
    named = (out.get("md5") for out in outs if isinstance(out, Mapping)) if isinstance(outs, list) else ()
    return {str(each) for each in named if _is_id(each)}


def _read_members(path: Path) -> set[str]:
    try:
        return {item["md5"] for item in read_stage_json(path) if _is_id(item["md5"])} if _is_list(path) else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _is_list(path: Path) -> bool:
    return path.name.endswith(LIST_SUFFIX)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and MD5.fullmatch(value.removesuffix(LIST_SUFFIX)) is not None
