"""The records that this machine keeps. By these, and nothing else, a result comes out of the cache of runs. Those of
experiments lie in .hallmark/experiments/records, and count for experiments alone, wherever they lie.

.hallmark/records/INPUTS.json        the newest record of some work, by `StageRecord.inputs_sha256`
.hallmark/records/RECORD.lock.json   where the cache has the outputs of a record, as dvc.lock says it; nobody signs
                                     that, since what comes out is compared with the record
.hallmark/records/runs/RUN/STAGE.json  what the supervisor signed in a run, for whoever started the stage
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.core import files
from tasks.core.errors import Refused
from tasks.core.layout import Layout
from tasks.trust import dsse, stage_record
from tasks.trust.stage_record import Digests, SignedRecord

FOLDER = "records"
MOST = 2**20
"""Bytes of what dvc.lock says of a stage."""


def keep(layout: Layout, stage: str, envelope: Mapping[str, Any], inputs_sha256: str) -> None:
    """Keep a record that was signed just now."""
    for path in (_path(layout.world, inputs_sha256), _own(layout, stage)):
        files.write_bytes(path, files.canonical_json(envelope), mode=0o600)


def find(layout: Layout, stage: str, read: Digests, lines: Sequence[str], boxed: bool) -> SignedRecord | None:
    """The record of a stage of this very work that one of the keys signed; of `boxed` one made in a sandbox."""
    inputs = stage_record.inputs_digest(stage, read)
    found = (_read(_path(world, inputs), layout, inputs, lines, boxed) for world in _worlds(layout))
    return next((record for record in found if record), None)


def of_run(layout: Layout, stage: str, read: Digests, lines: Sequence[str], boxed: bool) -> SignedRecord | None:
    """The same, of what was computed in this run last."""
    return _read(_own(layout, stage), layout, stage_record.inputs_digest(stage, read), lines, boxed)


def is_of(record: SignedRecord, layout: Layout, inputs_sha256: str, boxed: bool) -> bool:
    """Whether a record is of that work, made in a sandbox where it has to be, and by no experiment for another run."""
    where = record.said.environment
    if where.experiment and not layout.is_apart:
        return False
    return record.said.inputs_sha256 == inputs_sha256 and (where.sandbox is not None or not boxed)


def keep_lock(layout: Layout, record: SignedRecord, lock: Mapping[str, Any]) -> None:
    """What dvc.lock says of the stage, now that its outputs are in the cache."""
    files.write_json(_lock(layout.world, record), lock)


def lock_of(layout: Layout, record: SignedRecord) -> dict[str, Any] | None:
    """None where nothing is kept that can be read."""
    for world in _worlds(layout):
        try:
            lock = json.loads(files.read_at_most(_lock(world, record), MOST))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(lock, dict):
            return lock
    return None


def _worlds(layout: Layout) -> tuple[Path, ...]:
    """State folders in which a run looks for earlier results: its own, and for an experiment that of the others too."""
    return tuple(dict.fromkeys((layout.world, layout.state)))


def _read(path: Path, layout: Layout, inputs_sha256: str, lines: Sequence[str], boxed: bool) -> SignedRecord | None:
    if not path.exists():
        return None
    try:
        found = stage_record.verify_computed(dsse.read(path), lines)
    except Refused:
        return None
    return found if is_of(found, layout, inputs_sha256, boxed) else None


def _path(world: Path, inputs_sha256: str) -> Path:
    return world / FOLDER / f"{inputs_sha256}.json"


def _lock(world: Path, record: SignedRecord) -> Path:
    """By the computation, whoever takes it."""
    return world / FOLDER / f"{record.said.taken_from or record.sha256}.lock.json"


def _own(layout: Layout, stage: str) -> Path:
    return layout.world / FOLDER / "runs" / layout.root.name / f"{stage}.json"
