"""A release, or a run before its release, built again from the run's commit, stage by stage, each compared with the
digest of what the stage left.

A stage that comes out otherwise, or cannot be built, is put in place from the run that made it first, where that is
still here and has the same digest; so the stages behind it are compared on the inputs that they had.
"""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from tasks.core import config, files
from tasks.core.config import Frozen
from tasks.core.errors import HallmarkError, InputError, Refused, Unavailable
from tasks.core.graph import STAGES
from tasks.core.layout import Layout
from tasks.core.params import params
from tasks.core.params.values import Sha256
from tasks.core.payload import manifest
from tasks.gates import agreed
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.registry.release import bundle
from tasks.reproduce import obstacles, original
from tasks.reproduce.original import Original
from tasks.reproduce.place import place
from tasks.runs import dvc
from tasks.runs import stage as made
from tasks.runs.repository import Repository
from tasks.runs.stage import Worker
from tasks.supervise import box, kept, materials
from tasks.trust import stage_record

REPRODUCED = "release.reproduced"
"""Ledger entry: how it came out; its subject is the release. That of a run is `agreed.AGAIN`."""
OWN_WORDS = re.compile(r"\Astage [^\s:]+\b.*", re.DOTALL)
UNSAID = "it failed, and says itself why; nobody has looked at that"
Verdict = Literal["identical", "differs", "incomplete"]


class StageAgain(Frozen):
    stage: str
    came_out: Literal["same", "differs", "cannot"]
    seconds: float
    wanted: Sha256
    """The digest of what the stage left; of `package`, the payload's."""
    found: Sha256 | None
    """Null where it could not be built."""
    why: str
    """Why it could not be, or what the stages behind it were compared on; else empty."""


class Reproduction(Frozen):
    release: str | None
    sha256: Sha256 | None
    """Null where it is that of a run, which may have no release."""
    run: str
    commit: str
    verdict: Verdict
    """`incomplete`: something is away, and what could be built is the same."""
    stages: list[StageAgain]
    notes: list[str]
    """What makes other bytes likely here, known before anything was built."""
    machine: str
    records: dict[str, dict[str, Any]] = {}
    """Of each stage that came out the same: the envelope of its record, as the worker of this machine signed it. Of a
    release whose own records are there, one with the same materials and the same files in artefacts/."""
    kept: str | None
    """The worktree, where it was to be kept."""


@dataclass(frozen=True)
class _Work:
    layout: Layout
    of: Original
    original: Layout
    """Of the run that made it first; it may be gone."""
    withdrawn: str | None
    watcher: "Watcher"
    by: Worker | None
    """Who signs here what stages leave; null where this machine has no key that counts."""
    boxed: bool
    supervised: bool = True
    """False in a test of something else."""
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Those that `Reproduction.records` will have."""


class Watcher(Protocol):
    """Who is told how a reproduction goes."""

    def working(self, what: str, how: str = "") -> None:
        """A stage is being built; `how` is its own word on how far it is."""

    def line(self, text: str) -> None:
        """A stage came out, in words."""


def reproduce(checkout: Repository, of: Original, ledger: Ledger, governance: Governance,
              watcher: Watcher, keep: bool = False) -> Reproduction:  # fmt: skip
    """Build it again and record how it came out. Nothing else is left, and nothing of the checkout is written.

    Raises Unavailable where its commit is not in this clone.
    """
    with place(checkout, of.label, _commit(checkout, of), keep) as layout:
        work = _Work(
            layout=layout,
            of=of,
            original=Layout(governance.state / "runs" / of.run),
            withdrawn=obstacles.withdrawn(layout, ledger, governance),
            watcher=watcher,
            by=_worker(governance, ledger),
            boxed=box.wanted(governance.policy.environment),
        )
        released = manifest.read(Path(of.release.bundle) / bundle.PAYLOAD) if of.release else None
        notes = obstacles.known(layout, released, params.load(layout.params))
        stages = list(_stages(work))
        result = Reproduction(
            release=of.release.label if of.release else None,
            sha256=of.release.sha256 if of.release else None,
            run=of.run,
            commit=of.commit,
            verdict=_verdict(stages),
            stages=stages,
            notes=notes,
            machine=box.machine(),
            records=work.records,
            kept=str(layout.root) if keep else None,
        )
    kind = REPRODUCED if of.release else agreed.AGAIN
    ledger.append(kind, of.label, _recorded(result))
    return result


def _recorded(result: Reproduction) -> dict[str, Any]:
    """The result without what a failed stage says of itself: that may quote its sources, and everybody may read the
    ledger."""
    stages = [each.model_copy(update={"why": OWN_WORDS.sub(UNSAID, each.why)}) for each in result.stages]
    return result.model_copy(update={"stages": stages}).model_dump(mode="json", exclude={"kept"})


def _commit(checkout: Repository, of: Original) -> str:
    try:
        return checkout.commit_of(of.commit)
    except InputError:
        raise Unavailable(
            f"the commit {of.commit[:12]} of run {of.run} is not in this clone; fetch it: "
            f"git fetch REMOTE refs/hallmark/runs/{of.run}"
        ) from None


def _stages(work: _Work) -> Iterator[StageAgain]:
    reads = _reads(work.layout)
    absent: set[str] = set()
    for folder in (folder for stage in STAGES.values() for folder in stage.folders):
        name = folder.replace("/", "@")
        wanted = work.of.wanted[folder]
        missing = sorted(path for path in absent if any(read.startswith(f"artefacts/{path}") for read in reads[name]))
        started = time.monotonic()
        work.watcher.working(name)
        digest, why = _build(work, name, folder, missing)
        if digest == wanted:
            _keep_record(work, name)
        else:
            restored = folder != "package" and _restore(work, folder, wanted)
            absent |= set() if restored or folder == "package" else {folder}
            on = "; the stages behind it are compared on what it left first" if restored else ""
            why += on if why else on.removeprefix("; ")
        again = StageAgain(
            stage=name,
            came_out="cannot" if digest is None else "same" if digest == wanted else "differs",
            seconds=round(time.monotonic() - started, 2),
            wanted=wanted,
            found=digest,
            why=why,
        )
        work.watcher.line(f"  {name:<18} {again.came_out:<8} {again.seconds:6.1f} s")
        yield again


def _build(work: _Work, name: str, folder: str, missing: list[str]) -> tuple[str | None, str]:
    """The digest of what the stage leaves now; or None, and why it cannot be built."""
    if name == dvc.VAULTED and work.withdrawn:
        return None, f"its sources may not be read again: {work.withdrawn}"
    if missing:
        return None, f"it reads what could not be built: {', '.join(missing)}"
    try:
        dvc.repro(
            work.layout,
            name,
            _listener(work.watcher, name),
            force=True,
            apart=True,
            supervised=work.supervised,
            boxed=work.boxed,
        )
        return files.tree_digest(work.layout.root / original.place(folder)), ""
    except (HallmarkError, ValueError) as error:
        return None, str(error)


def _worker(governance: Governance, ledger: Ledger) -> Worker | None:
    with suppress(InputError, Refused):
        return made.worker(governance, ledger)
    return None


def _keep_record(work: _Work, name: str) -> None:
    """A second machine's signature for what the first record says; none where its materials are others."""
    if work.by is None:
        return
    record = kept.find(work.layout, name, materials.read(name, work.layout), work.by.lines, work.by.boxed)
    theirs = work.of.records.get(name)
    if record and (theirs is None or stage_record.agree(record, theirs)):
        work.records[name] = record.envelope


def _listener(watcher: Watcher, stage: str) -> Callable[[str], None]:
    """Passes on what a stage prints of how far it is, and nothing else."""

    def hear(line: str) -> None:
        if match := dvc.PROGRESS.match(line):
            watcher.working(stage, match["how"])

    return hear


def _restore(work: _Work, folder: str, wanted: str) -> bool:
    """Put what a stage left first in place, where the run that made it still has it."""
    theirs, ours = work.original.stage(folder), work.layout.stage(folder)
    try:
        if not theirs.is_dir() or files.tree_digest(theirs) != wanted:
            return False
    except ValueError:  # a link
        return False
    shutil.rmtree(ours, ignore_errors=True)
    shutil.copytree(theirs, ours)
    return True


def _reads(layout: Layout) -> dict[str, list[str]]:
    """What each stage depends on, as the run's dvc.lock has it."""
    path = layout.root / "dvc.lock"
    if not path.is_file():
        raise Refused(f"the commit of the release holds no dvc.lock; it is no run's: {path}")
    stages = config.read_plain(path)["stages"]
    return {name: [dep["path"] for dep in stage["deps"]] for name, stage in stages.items()}


def _verdict(stages: list[StageAgain]) -> Verdict:
    how = {stage.came_out for stage in stages}
    return "differs" if "differs" in how else "incomplete" if "cannot" in how else "identical"
