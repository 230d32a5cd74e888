"""Outputs in DVC's cache, and stage records, that only runs use whose files are no longer needed.

An output can belong to several runs. It is removed with the last of them. What no run of this checkout names stays: a
person may have put it there.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tasks.core.documents import config
from tasks.core.errors import HallmarkError
from tasks.core.files import read_json
from tasks.core.layout import EXPERIMENTS_FOLDER
from tasks.runs.outputs import cached_objects
from tasks.runs.outputs.cached_objects import CachedObjects
from tasks.supervise import record_store
from tasks.trust import dsse


class CachedOutputs(NamedTuple):
    objects: list[Path]
    """Files in the caches of this checkout."""
    records: list[Path]
    """Stage records that lead to these files, with their entries of dvc.lock."""

    @property
    def paths(self) -> list[Path]:
        return self.records + self.objects


def find_unused(
    state: Path, unneeded: Iterable[str], needed: Iterable[str], objects: CachedObjects | None = None
) -> CachedOutputs:
    """Find the cached outputs of runs that no other run uses.

    Args:
        state: State folder of the checkout.
        unneeded: Ids of the runs whose outputs are not needed.
        needed: Ids of all other runs. What the dvc.lock of the checkout itself names is needed too.
        objects: Objects to look in; None for the caches of the checkout.
    """
    cached = objects or CachedObjects(state)
    roots = [state / "runs" / run for run in needed]
    kept = set[str]().union(*(_object_ids(cached, root) for root in (state.parent, *roots)))
    unused = set[str]().union(*(_object_ids(cached, state / "runs" / run) for run in unneeded)) - kept
    records = [path for run in unneeded for path in _records_of_run(state, run)]
    return CachedOutputs(cached.paths(unused), [*records, *_records_of_outputs(state, unused)])


def _object_ids(cached: CachedObjects, root: Path) -> set[str]:
    return set[str]().union(*(cached.ids(entry) for entry in _lock_entries(root)))


def _lock_entries(root: Path) -> list[Mapping[str, Any]]:
    try:
        return list((config.read_plain_yaml(root / "dvc.lock").get("stages") or {}).values())
    except (HallmarkError, OSError, AttributeError):
        return []


def _worlds(state: Path) -> tuple[Path, Path]:
    return state, state / EXPERIMENTS_FOLDER


def _records_of_run(state: Path, run: str) -> Iterator[Path]:
    yield from (path for world in _worlds(state) if (path := record_store.run_records_folder(world, run)).is_dir())


def _records_of_outputs(state: Path, unused: set[str]) -> Iterator[Path]:
    """Yield the records, and their entries of dvc.lock, whose outputs are all unused."""
    for world in _worlds(state):
        folder = world / record_store.RECORDS_FOLDER
        entries = {path: read_json(path) for path in sorted(folder.glob(f"*{record_store.LOCK_ENTRY_SUFFIX}"))}
        gone = [path for path, entry in entries.items() if cached_objects.list_ids(entry) & unused]
        names = {path.name.removesuffix(record_store.LOCK_ENTRY_SUFFIX) for path in gone}
        yield from (path for path in sorted(folder.glob("*.json")) if _record_digest(path) in names)
        yield from gone


def _record_digest(path: Path) -> str:
    if path.name.endswith(record_store.LOCK_ENTRY_SUFFIX):
        return ""
    try:
        return dsse.envelope_digest(dsse.read_envelope(path))
    except HallmarkError:
        return ""
