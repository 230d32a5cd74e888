"""One stage of a run: its outputs are restored from the cache by a signed record of the same work, or computed.

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
from tasks.runs.outputs import dvc, dvc_cache, dvc_lock
from tasks.runs.outputs.dvc import StageOutcome
from tasks.supervise import materials, record_store, sandbox
from tasks.trust import stage_record, validity
from tasks.trust.keys import Signer
from tasks.trust.stage_record import SignedRecord

Say = Callable[[str], None]


@dataclass(frozen=True)
class Worker:
    """Key with which this machine signs stage records, and the public keys whose records are accepted."""

    signer: Signer
    public_key_lines: Sequence[str]
    needs_sandbox: bool
    """Whether a record is accepted only if its stage ran in a sandbox."""


def load_worker(governance: Governance, ledger: Ledger) -> Worker:
    """Load the worker key of this machine and the public keys whose stage records are accepted.

    Raises:
        InputError: This machine has no worker key.
        Unavailable: Stages need a sandbox, and this machine has none.
    """
    boxed = sandbox.is_used(governance.policy.environment)
    lines = validity.possible_lines(governance.keys_of("worker"), ledger.now())
    return Worker(governance.signer("worker"), lines, boxed)


def provide_outputs(
    layout: Layout,
    stage: str,
    by: Worker,
    say: Say,
    known: SignedRecord | None = None,
    force: bool = False,
    most: float | None = None,
) -> StageOutcome:
    """Provide the outputs of a stage in the worktree, the cache and dvc.lock, with a signed record.

    The outputs are restored if there is a record of the same work, and computed otherwise.

    Args:
        layout: Worktree of the run.
        stage: Name of the stage in DVC.
        by: Worker key that signs the record.
        say: Called with each line of output.
        known: Record of the stage that the ledger has for this run.
        force: Whether to compute the stage even if there is a record of the same work.
        most: Maximum duration of a computation in seconds; None for no limit.

    Raises:
        HallmarkError: The stage failed.
        Refused: The outputs in DVC's cache differ from those that the stage wrote.
    """
    started = time.monotonic()
    read = materials.read_digests(stage, layout)
    records = [] if force else _usable_records(layout, stage, read, by, known)
    record = next((each for each in records if _restore(layout, each)), None)
    is_cached = record is not None
    if records and not is_cached:
        say(f"the cache has not what stage {stage} left, as it was signed; it is done again")
    if record is None:
        dvc_cache.remove_special_files(layout)
        dvc.repro(layout, stage, say, force=True, supervised=True, boxed=by.needs_sandbox, most=most)
        record = _computed_record(layout, stage, read, by)
    elif record != known and _is_another_runs(record, layout):
        record = stage_record.verify(
            stage_record.sign_cached(record, _tree_sha256(layout), by.signer), by.public_key_lines
        )
    if is_cached:
        say(f"stage {stage} was done before with the same inputs; its outputs are those that were signed")
    return StageOutcome(stage=stage, seconds=time.monotonic() - started, cached=is_cached, record=record)


def _usable_records(
    layout: Layout, stage: str, read: stage_record.Digests, by: Worker, known: SignedRecord | None
) -> list[SignedRecord]:
    inputs = stage_record.inputs_digest(stage, read)
    own = (
        known
        if known
        and record_store.is_usable(known, layout, inputs, by.needs_sandbox)
        and known.record.tree_sha256 == _tree_sha256(layout)
        else None
    )
    return [
        record
        for record in (own, record_store.find(layout, stage, read, by.public_key_lines, by.needs_sandbox))
        if record
    ]


def _is_another_runs(record: SignedRecord, layout: Layout) -> bool:
    return record.record.environment.run != layout.root.name or record.record.tree_sha256 != _tree_sha256(layout)


def _tree_sha256(layout: Layout) -> str:
    return str(files.read_json(layout.code)["tree_sha256"])


def _restore(layout: Layout, record: SignedRecord) -> bool:
    stage, lock = record.record.name, record_store.read_lock_entry(layout, record)
    if materials.output_digests(stage, layout) == record.outputs:
        if lock is None or dvc_lock.read_stage(layout.root, stage) != lock:
            dvc.commit(layout, stage)  # the stage ended just before a kill
            _verify_cached(layout, record)
        return True
    if lock is None or not dvc_cache.restore(layout, stage, lock, record.outputs):
        return False
    dvc_lock.write_stage(layout.root, stage, lock)
    if layout.is_experiment:
        dvc.commit(layout, stage)  # copies what another run may have made to the cache of experiments
        record_store.store_lock_entry(layout, record, lock)
    return True


def _computed_record(layout: Layout, stage: str, read: stage_record.Digests, by: Worker) -> SignedRecord:
    record = record_store.find_of_run(layout, stage, read, by.public_key_lines, by.needs_sandbox)
    if record is None:
        raise Refused(
            f"stage {stage} ended, and no record of it counts: the worker's key in .hallmark/keys is not one of "
            "people.yaml, or its inputs changed while it ran; `hallmark doctor` looks at the keys"
        )
    _verify_cached(layout, record)
    return record


def _verify_cached(layout: Layout, record: SignedRecord) -> None:
    """Verify the outputs after DVC has replaced them with links to its cache, whose content can differ."""
    stage = record.record.name
    lock = dvc_lock.read_stage(layout.root, stage) or {}
    if materials.output_digests(stage, layout) != record.outputs:
        dvc_cache.remove_corrupt_objects(layout, stage, lock, record.outputs)
        for place in layout.output_folders(stage, DVC_STAGES[stage].has_measurements):
            shutil.rmtree(place, ignore_errors=True)
        raise Refused(
            f"stage {stage}: the cache held other bytes than the stage left, under the name of these; they are taken "
            f"out of it: hallmark run --resume {layout.root.name}"
        )
    record_store.store_lock_entry(layout, record, lock)
