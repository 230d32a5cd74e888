"""One stage of a run: its outputs are restored from the cache if a signed record of the same work exists, or computed.

DVC only stores outputs. DVC's own run cache is never used, because every `dvc repro` writes to it.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tasks.core import files
from tasks.core.errors import Refused
from tasks.core.graph import DVC_STAGES
from tasks.core.layout import Layout
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.runs.outputs import cache_lock, dvc, dvc_cache, dvc_lock
from tasks.runs.outputs.dvc import StageOutcome
from tasks.supervise import materials, record_store, sandbox
from tasks.trust import stage_record, validity
from tasks.trust.keys import Signer
from tasks.trust.stage_record import SignedRecord

OnLine = Callable[[str], None]


@dataclass(frozen=True)
class WorkerKeys:
    """Key that signs this machine's stage records, and the public keys whose stage records are accepted."""

    signer: Signer
    public_key_lines: Sequence[str]
    needs_sandbox: bool
    """Whether a record is accepted only if its stage ran in a sandbox."""


def load_worker_keys(governance: Governance, ledger: Ledger) -> WorkerKeys:
    """Load the worker key of this machine and the public keys whose stage records are accepted.

    Raises:
        InputError: This machine has no worker key.
        Unavailable: Stages need a sandbox, and this machine has none.
    """
    boxed = sandbox.uses_sandbox(governance.policy.environment)
    lines = validity.possible_key_lines(governance.keys_of("worker"), ledger.now())
    return WorkerKeys(governance.find_signer("worker"), lines, boxed)


def provide_outputs(
    layout: Layout,
    stage: str,
    worker: WorkerKeys,
    on_line: OnLine,
    recorded: SignedRecord | None = None,
    force: bool = False,
    max_seconds: float | None = None,
) -> StageOutcome:
    """Restore the outputs of a stage from the cache, or compute them, and return the outcome with a signed record.

    The outputs are restored if a signed record of the same work exists. The worktree, the cache and dvc.lock contain
    the outputs afterwards.

    Args:
        layout: Worktree of the run.
        stage: Name of the stage in DVC.
        worker: Worker key that signs the record.
        on_line: Called with each line of output.
        recorded: Record of the stage in this run's ledger entries; None if there is none.
        force: Whether to compute the outputs even if there is a record of the same work.
        max_seconds: Maximum duration of a computation in seconds; None for no limit.

    Raises:
        HallmarkError: The stage failed.
        Refused: The outputs in DVC's cache differ from those that the stage wrote.
    """
    started = time.monotonic()
    read = materials.material_digests(stage, layout)
    records = [] if force else _usable_records(layout, stage, read, worker, recorded)
    with cache_lock.hold_for_use(layout.state):
        record = next((each for each in records if _restore(layout, each)), None)
    is_cached = record is not None
    if records and not is_cached:
        on_line(f"the cache has not what stage {stage} left, as it was signed; it is done again")
    if record is None:
        dvc_cache.remove_special_files(layout)
        dvc.repro(
            layout, stage, on_line, force=True, supervised=True, sandboxed=worker.needs_sandbox, max_seconds=max_seconds
        )
        with cache_lock.hold_for_use(layout.state):
            record = _computed_record(layout, stage, read, worker)
    elif record != recorded and _is_from_another_run(record, layout):
        record = stage_record.verify_record(
            stage_record.sign_cached_record(record, _tree_sha256(layout), worker.signer), worker.public_key_lines
        )
    if is_cached:
        on_line(f"stage {stage} was done before with the same inputs; its outputs are those that were signed")
    return StageOutcome(stage=stage, seconds=time.monotonic() - started, cached=is_cached, record=record)


def _usable_records(
    layout: Layout, stage: str, read: stage_record.Digests, by: WorkerKeys, known: SignedRecord | None
) -> list[SignedRecord]:
    inputs = stage_record.inputs_digest(stage, read)
    own = (
        known
        if known
        and record_store.is_usable_record(known, layout, inputs, by.needs_sandbox)
        and known.record.tree_sha256 == _tree_sha256(layout)
        else None
    )
    return [
        record
        for record in (own, record_store.find_record(layout, stage, read, by.public_key_lines, by.needs_sandbox))
        if record
    ]


def _is_from_another_run(record: SignedRecord, layout: Layout) -> bool:
    return record.record.environment.run != layout.root.name or record.record.tree_sha256 != _tree_sha256(layout)


def _tree_sha256(layout: Layout) -> str:
    return str(files.read_json(layout.code_path)["tree_sha256"])


def _restore(layout: Layout, record: SignedRecord) -> bool:
    stage, lock = record.record.name, record_store.read_lock_entry(layout, record)
    if materials.output_digests(stage, layout) == record.outputs:
        if lock is None or dvc_lock.read_stage_entry(layout.root, stage) != lock:
            dvc.commit_outputs(layout, stage)  # the stage ended just before a kill
            _verify_cached(layout, record)
        return True
    if lock is None or not dvc_cache.restore_outputs(layout, stage, lock, record.outputs):
        return False
    dvc_lock.write_stage_entry(layout.root, stage, lock)
    if layout.is_experiment:
        dvc.commit_outputs(layout, stage)  # copies what another run may have made to the cache of experiments
        record_store.store_lock_entry(layout, record, lock)
    return True


def _computed_record(layout: Layout, stage: str, read: stage_record.Digests, by: WorkerKeys) -> SignedRecord:
    record = record_store.find_run_record(layout, stage, read, by.public_key_lines, by.needs_sandbox)
    if record is None:
        raise Refused(
            f"stage {stage} ended, and no record of it counts: the worker's key in .hallmark/keys is not one of "
            "people.yaml, or its inputs changed while it ran; `hallmark doctor` looks at the keys"
        )
    _verify_cached(layout, record)
    return record


def _verify_cached(layout: Layout, record: SignedRecord) -> None:
    """Verify the outputs again after DVC has replaced them with links to its cache. The cached content can differ."""
    stage = record.record.name
    lock = dvc_lock.read_stage_entry(layout.root, stage) or {}
    if materials.output_digests(stage, layout) != record.outputs:
        dvc_cache.remove_corrupt_objects(layout, stage, lock, record.outputs)
        for place in layout.output_folders(stage, DVC_STAGES[stage].has_measurements):
            shutil.rmtree(place, ignore_errors=True)
        raise Refused(
            f"stage {stage}: the cache held other bytes than the stage left, under the name of these; they are taken "
            f"out of it: hallmark run --resume {layout.root.name}"
        )
    if not dvc_cache.has_outputs(layout, stage, lock, record.outputs):
        dvc.commit_outputs(layout, stage)  # DVC found them there, and `hallmark clean` removed them just then
    record_store.store_lock_entry(layout, record, lock)
