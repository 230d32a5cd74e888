"""Reproduction of a release or run from the run's commit, stage by stage. Each output is compared with the original.

If a stage's output differs, or the stage cannot be built, it is replaced with the original output, provided that the
original run is still on this machine with the right digest. Later stages are then compared on their original inputs.
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
from tasks.runs.stage import Worker
from tasks.supervise import materials, record_store, sandbox
from tasks.trust import stage_record

REPRODUCED_KIND = "release.reproduced"
"""Kind of ledger entry about the reproduction of a release. For a run, the kind is `agreement.REPRODUCED`."""
STAGE_MESSAGE = re.compile(r"\Astage [^\s:]+\b.*", re.DOTALL)
REDACTED_MESSAGE = "it failed, and says itself why; nobody has looked at that"
Verdict = Literal["identical", "differs", "incomplete"]


class ReproducedStage(FrozenModel):
    stage: str
    came_out: Literal["same", "differs", "cannot"]
    seconds: float
    wanted: Sha256
    """Digest of the original output; for `package`, digest of the payload."""
    found: Sha256 | None
    """Digest of the new output; null if the stage could not be built."""
    why: str
    """Reason why the stage could not be built, or a note that later stages use the original output; else empty."""


class Reproduction(FrozenModel):
    release: str | None
    sha256: Sha256 | None
    """Digest of the release; null for the reproduction of a run, which may have no release."""
    run: str
    commit: str
    verdict: Verdict
    """Result of the comparison; `incomplete` if some stages could not be built and the others are identical."""
    stages: list[ReproducedStage]
    notes: list[str]
    """Reasons why outputs may differ on this machine, known before a stage was built."""
    machine: str
    records: dict[str, dict[str, Any]] = {}
    """Envelopes of stage records, signed by this machine's worker key, for the stages with identical output. If the
    original has records, materials and files in artefacts/ must be identical too."""
    kept: str | None
    """Path of the worktree if it was kept, else null."""


@dataclass(frozen=True)
class _ReproductionJob:
    layout: Layout
    source: Original
    original_layout: Layout
    """Worktree of the original run, which may no longer exist."""
    withdrawn: str | None
    watcher: "ProgressReceiver"
    worker: Worker | None
    """Key that signs stage records; None if this machine has no accepted key."""
    boxed: bool
    supervised: bool = True
    """Whether stages run under a supervisor; False only in some tests."""
    records: dict[str, dict[str, Any]] = field(default_factory=dict)


class ProgressReceiver(Protocol):
    def working(self, what: str, how: str = "") -> None:
        """Report that a stage is being built. `how` is the stage's own progress message."""

    def line(self, text: str) -> None:
        """Report the outcome of a stage as one line of text."""


def reproduce(checkout: Repository, of: Original, ledger: Ledger, governance: Governance,
              watcher: ProgressReceiver, keep: bool = False) -> Reproduction:  # fmt: skip
    """Build the original again, compare the outputs, and record the result in the ledger.

    The files of the checkout are not changed.

    Raises:
        Unavailable: The run's commit is not in this clone.
    """
    with reproduction_worktree(checkout, of.label, _commit_of_original(checkout, of), keep) as layout:
        work = _ReproductionJob(
            layout=layout,
            source=of,
            original_layout=Layout(governance.state / "runs" / of.run),
            withdrawn=obstacles.withdrawal_reason(layout, ledger, governance),
            watcher=watcher,
            worker=_worker(governance, ledger),
            boxed=sandbox.is_used(governance.policy.environment),
        )
        released = manifest.read(Path(of.release.bundle) / bundle.PAYLOAD) if of.release else None
        notes = obstacles.find_obstacles(layout, released, params.load(layout.params))
        stages = list(_stages(work))
        result = Reproduction(
            release=of.release.label if of.release else None,
            sha256=of.release.sha256 if of.release else None,
            run=of.run,
            commit=of.commit,
            verdict=_verdict(stages),
            stages=stages,
            notes=notes,
            machine=sandbox.describe_machine(),
            records=work.records,
            kept=str(layout.root) if keep else None,
        )
    kind = REPRODUCED_KIND if of.release else agreement.REPRODUCED
    ledger.append(kind, of.label, _without_messages(result))
    return result


def _without_messages(result: Reproduction) -> dict[str, Any]:
    """Return the result for the ledger, without messages of failed stages, because they can quote sources."""
    stages = [each.model_copy(update={"why": STAGE_MESSAGE.sub(REDACTED_MESSAGE, each.why)}) for each in result.stages]
    return result.model_copy(update={"stages": stages}).model_dump(mode="json", exclude={"kept"})


def _commit_of_original(checkout: Repository, of: Original) -> str:
    try:
        return checkout.commit_of(of.commit)
    except InputError:
        raise Unavailable(
            f"the commit {of.commit[:12]} of run {of.run} is not in this clone; fetch it: "
            f"git fetch REMOTE refs/hallmark/runs/{of.run}"
        ) from None


def _stages(work: _ReproductionJob) -> Iterator[ReproducedStage]:
    reads = _stage_dependencies(work.layout)
    absent: set[str] = set()
    for folder in (folder for stage in STAGES.values() for folder in stage.output_folders):
        name = folder.replace("/", "@")
        wanted = work.source.digests[folder]
        missing = sorted(path for path in absent if any(read.startswith(f"artefacts/{path}") for read in reads[name]))
        started = time.monotonic()
        work.watcher.working(name)
        digest, why = _build(work, name, folder, missing)
        if digest == wanted:
            _add_record(work, name)
        else:
            restored = folder != "package" and _restore(work, folder, wanted)
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
        work.watcher.line(f"  {name:<18} {again.came_out:<8} {format_duration(again.seconds):>9}")
        yield again


def _build(work: _ReproductionJob, name: str, folder: str, missing: list[str]) -> tuple[str | None, str]:
    if name == dvc.INGEST_STAGE and work.withdrawn:
        return None, f"its sources may not be read again: {work.withdrawn}"
    if missing:
        return None, f"it reads what could not be built: {', '.join(missing)}"
    try:
        dvc.repro(
            work.layout,
            name,
            _progress_filter(work.watcher, name),
            force=True,
            apart=True,
            supervised=work.supervised,
            boxed=work.boxed,
        )
        return files.tree_digest(work.layout.root / original.compared_path(folder)), ""
    except (HallmarkError, ValueError) as error:
        return None, str(error)


def _worker(governance: Governance, ledger: Ledger) -> Worker | None:
    with suppress(InputError, Refused):
        return made.load_worker(governance, ledger)
    return None


def _add_record(work: _ReproductionJob, name: str) -> None:
    if work.worker is None:
        return
    record = record_store.find(
        work.layout,
        name,
        materials.read_digests(name, work.layout),
        work.worker.public_key_lines,
        work.worker.needs_sandbox,
    )
    original = work.source.records.get(name)
    if record and (original is None or stage_record.have_same_outputs(record, original)):
        work.records[name] = record.envelope


def _progress_filter(watcher: ProgressReceiver, stage: str) -> Callable[[str], None]:
    def hear(line: str) -> None:
        if reported := progress.parse(line):
            watcher.working(stage, reported.text)

    return hear


def _restore(work: _ReproductionJob, folder: str, wanted: str) -> bool:
    theirs, ours = work.original_layout.artefacts(folder), work.layout.artefacts(folder)
    try:
        if not theirs.is_dir() or files.tree_digest(theirs) != wanted:
            return False
    except ValueError:  # the folder has a link
        return False
    shutil.rmtree(ours, ignore_errors=True)
    files.copy_tree(theirs, ours)
    return True


def _stage_dependencies(layout: Layout) -> dict[str, list[str]]:
    path = layout.root / "dvc.lock"
    if not path.is_file():
        raise Refused(f"the commit of the release holds no dvc.lock; it is no run's: {path}")
    stages = config.read_plain(path)["stages"]
    return {name: [dep["path"] for dep in stage["deps"]] for name, stage in stages.items()}


def _verdict(stages: list[ReproducedStage]) -> Verdict:
    how = {stage.came_out for stage in stages}
    return "differs" if "differs" in how else "incomplete" if "cannot" in how else "identical"
