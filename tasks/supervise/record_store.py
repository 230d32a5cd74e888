"""Stage records on this machine. A run can take outputs from the cache only if there is a record of them.

Records of experiments are in .hallmark/experiments/records and are accepted for experiments only.

.hallmark/records/INPUTS.json          newest record with these inputs; INPUTS is `StageRecord.inputs_sha256`
.hallmark/records/RECORD.lock.json     entry of dvc.lock that leads to a record's outputs in the cache; not signed,
                                       because outputs from the cache are compared with the record
.hallmark/records/runs/RUN/STAGE.json  record that the supervisor signed, for the process that started the stage
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.core import files
from tasks.core.errors import Refused
from tasks.core.json_text import canonical_json, parse
from tasks.core.layout import Layout
from tasks.trust import dsse, stage_record
from tasks.trust.stage_record import Digests, SignedRecord

RECORDS_FOLDER = "records"
LOCK_ENTRY_SUFFIX = ".lock.json"
MAX_LOCK_ENTRY_BYTES = 2**20


def store_record(layout: Layout, stage: str, envelope: Mapping[str, Any], inputs_sha256: str) -> None:
    for path in (_record_path(layout.run_state, inputs_sha256), _run_record_path(layout, stage)):
        files.write_bytes(path, canonical_json(envelope), mode=0o600)


def find_record(
    layout: Layout, stage: str, material_digests: Digests, public_key_lines: Sequence[str], needs_sandbox: bool
) -> SignedRecord | None:
    """Return the signed record of an earlier execution with the same inputs; None if there is none.

    Args:
        layout: Worktree of the run.
        stage: Name of the stage in DVC.
        material_digests: Digests of the stage's materials.
        public_key_lines: Public key lines whose signatures are accepted.
        needs_sandbox: Whether the stage must have run in a sandbox.
    """
    inputs = stage_record.inputs_digest(stage, material_digests)
    found = (
        _read_usable_record(_record_path(state, inputs), layout, inputs, public_key_lines, needs_sandbox)
        for state in _state_folders(layout)
    )
    return next((record for record in found if record), None)


def find_run_record(
    layout: Layout, stage: str, material_digests: Digests, public_key_lines: Sequence[str], needs_sandbox: bool
) -> SignedRecord | None:
    """Return this run's signed record of a stage; None if there is none or if its inputs differ."""
    return _read_usable_record(
        _run_record_path(layout, stage),
        layout,
        stage_record.inputs_digest(stage, material_digests),
        public_key_lines,
        needs_sandbox,
    )


def is_usable_record(record: SignedRecord, layout: Layout, inputs_sha256: str, needs_sandbox: bool) -> bool:
    """Return whether a run can use a record instead of executing the stage.

    The record must have the same inputs. Only experiments can use records of experiments.

    Args:
        record: Record to check.
        layout: Worktree of the run.
        inputs_sha256: Digest of all inputs of the stage in this run.
        needs_sandbox: Whether the stage must have run in a sandbox.
    """
    where = record.record.environment
    if where.experiment and not layout.is_experiment:
        return False
    return record.record.inputs_sha256 == inputs_sha256 and (where.sandbox is not None or not needs_sandbox)


def store_lock_entry(layout: Layout, record: SignedRecord, lock: Mapping[str, Any]) -> None:
    files.write_json(_lock_entry_path(layout.run_state, record), lock)


def read_lock_entry(layout: Layout, record: SignedRecord) -> dict[str, Any] | None:
    for state in _state_folders(layout):
        try:
            lock = parse(files.read_bounded(_lock_entry_path(state, record), MAX_LOCK_ENTRY_BYTES))
        except (OSError, ValueError):
            continue
        if isinstance(lock, dict):
            return lock
    return None


def run_records_folder(state: Path, run: str) -> Path:
    """Return the folder with the records of one run; `state` is that of governed runs or of experiments."""
    return state / RECORDS_FOLDER / "runs" / run


def _state_folders(layout: Layout) -> tuple[Path, ...]:
    return tuple(dict.fromkeys((layout.run_state, layout.state)))


def _read_usable_record(
    path: Path, layout: Layout, inputs_sha256: str, public_key_lines: Sequence[str], needs_sandbox: bool
) -> SignedRecord | None:
    if not path.exists():
        return None
    try:
        found = stage_record.verify_executed_record(dsse.read_envelope(path), public_key_lines)
    except Refused:
        return None
    return found if is_usable_record(found, layout, inputs_sha256, needs_sandbox) else None


def _record_path(state: Path, inputs_sha256: str) -> Path:
    return state / RECORDS_FOLDER / f"{inputs_sha256}.json"


def _lock_entry_path(state: Path, record: SignedRecord) -> Path:
    return state / RECORDS_FOLDER / f"{record.record.taken_from or record.sha256}{LOCK_ENTRY_SUFFIX}"


def _run_record_path(layout: Layout, stage: str) -> Path:
    return run_records_folder(layout.run_state, layout.root.name) / f"{stage}.json"
