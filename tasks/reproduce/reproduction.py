"""Reproduction of a release or run from the run's commit, stage by stage. Each output is compared with the original.

A stage's output is replaced with the original output if it differs or cannot be built. Later stages are then compared
on their original inputs. For this, the original run must still be on this machine with the right digest.
"""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from tasks.core import files, progress
from tasks.core.documents import config
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable
from tasks.core.formatting import format_duration
from tasks.core.graph import STAGES
from tasks.core.layout import Layout
from tasks.core.params import params
from tasks.core.params.values import Sha256
from tasks.core.payload import manifest
from tasks.gates import agreement
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.release import bundle
from tasks.reproduce import obstacles, original
from tasks.reproduce.original import Original
from tasks.reproduce.worktree import reproduction_worktree
from tasks.runs import stage as made
from tasks.runs.git.repository import Repository
from tasks.runs.outputs import dvc
from tasks.runs.stage import WorkerKeys
from tasks.supervise import materials, record_store, sandbox
from tasks.trust import stage_record

REPRODUCED_KIND = "release.reproduced"
"""Kind of ledger entry about the reproduction of a release. For a run, the kind is
`agreement.REPRODUCED_ENTRY_KIND`."""
STAGE_MESSAGE_PATTERN = re.compile(r"\Astage [^\s:]+\b.*", re.DOTALL)
REDACTED_MESSAGE = "it failed, and says itself why; nobody has looked at that"
Verdict = Literal["identical", "differs", "incomplete"]


class ReproducedStage(FrozenModel):
    stage: str
    came_out: Literal["same", "differs", "cannot"]
    seconds: float
    wanted: Sha256
    """Digest of the original output. For stage `package`, this is the digest of the payload."""
    found: Sha256 | None
    """Digest of the new output; null if the stage could not be run again."""
    why: str
    """Reason why the stage could not be built, or a note that later stages use the original output; empty if neither
    applies."""


class Reproduction(FrozenModel):
    release: str | None
    sha256: Sha256 | None
    """Digest of the release; null if a run was reproduced, which may have no release."""
    run: str
    commit: str
    verdict: Verdict
    """Result of the comparison. It is `incomplete` if some stages could not be built and all others are identical."""
    stages: list[ReproducedStage]
    notes: list[str]
    """Reasons why outputs may differ on this machine. They are determined before a stage is built."""
    machine: str
    records: dict[str, dict[str, Any]] = {}
    """Envelopes of the stage records of stages with identical output, signed with this machine's worker key. If the
    original has records, materials and files in artefacts/ must be identical too."""
    kept: str | None
    """Path of the worktree; null if it was deleted."""


@dataclass(frozen=True)
class _ReproductionJob:
    layout: Layout
    original: Original
    original_layout: Layout
    """Worktree of the original run, which may no longer exist."""
    block_reason: str | None
    """Reason why the sources may not be read again; None if they may."""
    progress: "ProgressReceiver"
    worker: WorkerKeys | None
    """Key that signs stage records; None if this machine has no accepted key."""
    needs_sandbox: bool
    is_supervised: bool = True
    """Whether stages run under a supervisor; False only in some tests."""
    records: dict[str, dict[str, Any]] = field(default_factory=dict)


class ProgressReceiver(Protocol):
    def show_step(self, what: str, how: str = "") -> None:
        """Report that a stage is being built. `how` is the progress that the stage itself reports."""

    def line(self, text: str) -> None:
        """Report the outcome of a stage as one line of text."""


def reproduce(checkout: Repository, original: Original, ledger: Ledger, governance: Governance,
              progress_receiver: ProgressReceiver, keep_worktree: bool = False) -> Reproduction:  # fmt: skip
    """Build the original again, compare the outputs, and record the result in the ledger.

    The files of the checkout are not changed.

    Raises:
        Unavailable: The run's commit is not in this clone.
        Refused: The run would read rows about somebody who is to be forgotten. Of a release, all stages but `ingest`
            are built.
    """
    with reproduction_worktree(
        checkout, original.label, _commit_of_original(checkout, original), keep_worktree
    ) as layout:
        suppressed = obstacles.suppression_reason(layout, original.run, ledger)
        if suppressed and not original.release:
            raise Refused(suppressed)
        work = _ReproductionJob(
            layout=layout,
            original=original,
            original_layout=Layout(governance.state / "runs" / original.run),
            block_reason=obstacles.withdrawal_reason(layout, ledger, governance) or suppressed,
            progress=progress_receiver,
            worker=_load_worker_keys(governance, ledger),
            needs_sandbox=sandbox.uses_sandbox(governance.policy.environment),
        )
        released = manifest.read_manifest(Path(original.release.bundle) / bundle.PAYLOAD) if original.release else None
        notes = obstacles.find_obstacles(layout, released, params.load_params(layout.params_path))
        stages = list(_reproduce_stages(work))
        result = Reproduction(
            release=original.release.label if original.release else None,
            sha256=original.release.sha256 if original.release else None,
            run=original.run,
            commit=original.commit,
            verdict=_overall_verdict(stages),
            stages=stages,
            notes=notes,
            machine=sandbox.describe_machine(),
            records=work.records,
            kept=str(layout.root) if keep_worktree else None,
        )
    kind = REPRODUCED_KIND if original.release else agreement.REPRODUCED_ENTRY_KIND
    ledger.append(kind, original.label, _redact_messages(result))
    return result


def _redact_messages(result: Reproduction) -> dict[str, Any]:
    """Return the result for the ledger. Messages of failed stages are removed, because they can quote sources."""
    stages = [
        each.model_copy(update={"why": STAGE_MESSAGE_PATTERN.sub(REDACTED_MESSAGE, each.why)}) for each in result.stages
    ]
    return result.model_copy(update={"stages": stages}).model_dump(mode="json", exclude={"kept"})


def _commit_of_original(checkout: Repository, original: Original) -> str:
    try:
        return checkout.commit_id(original.commit)
    except InputError:
        raise Unavailable(
            f"the commit {original.commit[:12]} of run {original.run} is not in this clone; fetch it: "
            f"git fetch REMOTE refs/hallmark/runs/{original.run}"
        ) from None


def _reproduce_stages(work: _ReproductionJob) -> Iterator[ReproducedStage]:
    reads = _read_stage_dependencies(work.layout)
    absent: set[str] = set()
    for folder in (folder for stage in STAGES.values() for folder in stage.output_folders):
        name = folder.replace("/", "@")
        wanted = work.original.digests[folder]
        missing = sorted(path for path in absent if any(read.startswith(f"artefacts/{path}") for read in reads[name]))
        started = time.monotonic()
        work.progress.show_step(name)
        digest, why = _build_stage(work, name, folder, missing)
        if digest == wanted:
            _add_record(work, name)
        else:
            restored = folder != "package" and _restore_output(work, folder, wanted)
            absent |= set() if restored or folder == "package" else {folder}
            on = "; the stages behind it are compared on what it left first" if restored else ""
            why += on if why else on.removeprefix("; ")
        again = ReproducedStage(
            stage=name,
            came_out="cannot" if digest is None else "same" if digest == wanted else "differs",
            seconds=round(time.monotonic() - started, 2),
            wanted=wanted,
            found=digest,
            why=why,
        )
        work.progress.line(f"  {name:<18} {again.came_out:<8} {format_duration(again.seconds):>9}")
        yield again


def _build_stage(work: _ReproductionJob, name: str, folder: str, missing: list[str]) -> tuple[str | None, str]:
    if name == dvc.INGEST_STAGE and work.block_reason:
        return None, f"its sources may not be read again: {work.block_reason}"
    if missing:
        return None, f"it reads what could not be built: {', '.join(missing)}"
    try:
        dvc.repro(
            work.layout,
            name,
            _progress_filter(work.progress, name),
            force=True,
            without_shared_services=True,
            supervised=work.is_supervised,
            sandboxed=work.needs_sandbox,
        )
        return files.tree_digest(work.layout.root / original.compared_path(folder)), ""
    except (HallmarkError, ValueError) as error:
        return None, str(error)


def _load_worker_keys(governance: Governance, ledger: Ledger) -> WorkerKeys | None:
    with suppress(InputError, Refused):
        return made.load_worker_keys(governance, ledger)
    return None


def _add_record(work: _ReproductionJob, name: str) -> None:
    if work.worker is None:
        return
    record = record_store.find_record(
        work.layout,
        name,
        materials.material_digests(name, work.layout),
        work.worker.public_key_lines,
        work.worker.needs_sandbox,
    )
    original = work.original.records.get(name)
    if record and (original is None or stage_record.have_same_outputs(record, original)):
        work.records[name] = record.envelope


def _progress_filter(progress_receiver: ProgressReceiver, stage: str) -> Callable[[str], None]:
    def report_progress(line: str) -> None:
        if reported := progress.parse_progress_line(line):
            progress_receiver.show_step(stage, reported.text)

    return report_progress


def _restore_output(work: _ReproductionJob, folder: str, wanted: str) -> bool:
    theirs, ours = work.original_layout.artefacts(folder), work.layout.artefacts(folder)
    try:
        if not theirs.is_dir() or files.tree_digest(theirs) != wanted:
            return False
    except ValueError:  # the folder has a link
        return False
    shutil.rmtree(ours, ignore_errors=True)
    files.copy_tree(theirs, ours)
    return True


def _read_stage_dependencies(layout: Layout) -> dict[str, list[str]]:
    path = layout.root / "dvc.lock"
    if not path.is_file():
        raise Refused(f"the commit of the release holds no dvc.lock; it is no run's: {path}")
    stages = config.read_plain_yaml(path)["stages"]
    return {name: [dep["path"] for dep in stage["deps"]] for name, stage in stages.items()}


def _overall_verdict(stages: list[ReproducedStage]) -> Verdict:
    how = {stage.came_out for stage in stages}
    return "differs" if "differs" in how else "incomplete" if "cannot" in how else "identical"
