"""Disk of 1,000 runs in a hundred days if `hallmark clean --remove` runs every week, and what it leaves of them.

    python benchmarks/clean_runs.py [--runs 1000] [--real 30] [--out benchmarks/results/clean_runs.json]

The first `--real` runs of the tiny project are real: all stages and gates, each with another seed, and the first is
promoted. The others are copied state. A copy has its own worktree folder, dvc.lock, cached outputs (each object of the
original with the id of the copy appended, so that no two runs share one), ledger entries and journal. It has no commit
and no worktree in git, and its signed documents are those of the original, which `clean` does not read. The ledger's
clock is set: ten runs a day, in a policy with `keep_days: 14`.

After each cleaning, an oracle that knows only when each run ended and how says which runs policy keeps. Every file of
these runs and every cached object that their dvc.lock names must be as it was. Of every other run, parameters, inputs,
evidence, gate statements and dvc.lock must be.
"""

import argparse
import hashlib
import json
import os
import platform
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
os.environ.pop("HALLMARK_LEDGER_URL", None)

from tasks.cleanup import plan as plans  # noqa: E402
from tasks.cleanup import removal, run_files  # noqa: E402
from tasks.core import files  # noqa: E402
from tasks.core.graph import STEPS, Gate  # noqa: E402
from tasks.gates import signed_request  # noqa: E402
from tasks.ledger.ledger import Ledger, open_ledger  # noqa: E402
from tasks.runs import journal, run_entries  # noqa: E402
from tasks.runs.checkout import Checkout  # noqa: E402
from tasks.runs.journal import Journal, RunStatus  # noqa: E402
from tasks.runs.outputs import cached_objects, dvc_lock  # noqa: E402
from tasks.runs.outputs.cached_objects import CachedObjects  # noqa: E402
from tasks.runs.outputs.dvc_cache import objects_folder  # noqa: E402
from tests import whole_run  # noqa: E402
from tests.tiny_project import POLICY, commit, create, hallmark, make_project  # noqa: E402

RUNS_PER_DAY = 10
KEEP_DAYS = 14
DAYS_PER_CLEANING = 7
BEGAN = datetime(2030, 1, 1, tzinfo=UTC)
STATUSES: tuple[tuple[RunStatus, int], ...] = (("failed", 60), ("unchanged", 35), ("waiting", 5))
"""Statuses of copies, each with its weight."""
LASTING = ("params.yaml", "inputs", "evidence", "gates", "dvc.lock")
"""Files of a run that no cleaning removes."""


class KnownRun(NamedTuple):
    run: str
    status: RunStatus
    ended: datetime
    released: bool
    everything: str
    """Digest of the worktree folder as it was."""
    lasting: str
    """Digest of the files in LASTING."""
    objects: frozenset[str]
    size: int
    """Size on disk of the worktree folder and the run's own objects, in bytes."""


class Years:
    """A checkout whose ledger has a clock that is set, and all runs that were made in it."""

    def __init__(self, project: Path) -> None:
        self.project, self.state = project, project / ".hallmark"
        self.originals = project.with_name("originals")
        """Worktrees and cache of the real runs, for copies after these are cleaned."""
        self.now = BEGAN
        self.known: list[KnownRun] = []
        self.rng = random.Random(1)
        Ledger.now = lambda _: self.now  # type: ignore[method-assign]

    def advance(self) -> None:
        self.now += timedelta(days=1) / RUNS_PER_DAY

    def make_real(self, number: int) -> None:
        """Take a run through all stages and gates."""
        self.advance()
        run = create(
            self.project, f"real-{number:04}", changes={"training.seed": str(number), "data.seed": str(number)}
        )
        for step in STEPS:
            if isinstance(step, Gate):
                whole_run.pass_gate(run, step.name)
            else:
                for name in step.dvc_names:
                    whole_run.bring(run, name)
        status: RunStatus = "promoted" if number == 0 else "failed"
        if number == 0:
            whole_run.promote(run)
        self._end(run.id, status, released=number == 0)

    def keep_originals(self) -> None:
        for name in ("runs", "cache"):
            shutil.copytree(self.state / name, self.originals / name, symlinks=True)

    def make_copy(self, number: int, original: str) -> None:
        """Copy the state of a real run under another id, with outputs of its own."""
        self.advance()
        run = f"copy-{number:04}"
        target = self.state / "runs" / run
        shutil.copytree(
            self.originals / "runs" / original, target, symlinks=True, ignore=shutil.ignore_patterns(".git")
        )
        self._give_own_objects(target, run)
        os.utime(target / "inputs" / "sources.json", (self.now.timestamp(),) * 2)
        ledger = open_ledger(self.state)
        with ledger.transaction():
            for kind in (signed_request.ENTRY_KIND, run_entries.RESOLVED_KIND, run_entries.STAGE_KIND):
                for entry in ledger.entries(kind, original):
                    ledger.append(kind, run, entry.body)
        names, weights = zip(*STATUSES, strict=True)
        self._end(run, self.rng.choices(names, weights)[0])

    def _give_own_objects(self, worktree: Path, run: str) -> None:
        text = (worktree / "dvc.lock").read_text()
        for name in dvc_lock.stage_names(worktree):
            for list_id in cached_objects.list_ids(dvc_lock.read_stage_entry(worktree, name) or {}):
                text = text.replace(list_id, self._copy_list(list_id, run))
        files.write_bytes(worktree / "dvc.lock", text.encode())

    def _copy_list(self, list_id: str, run: str) -> str:
        def read(name: str) -> bytes:
            return (objects_folder(self.originals) / name[:2] / name[2:]).read_bytes()

        listed = json.loads(read(list_id))
        for item in listed:
            item["md5"] = self._store(read(item["md5"]) + run.encode())
        return self._store(json.dumps(listed).encode(), cached_objects.LIST_SUFFIX)

    def _store(self, content: bytes, suffix: str = "") -> str:
        name = hashlib.md5(content, usedforsecurity=False).hexdigest() + suffix
        path = self._object(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return name

    def _object(self, name: str) -> Path:
        return objects_folder(self.state) / name[:2] / name[2:]

    def _end(self, run: str, status: RunStatus, released: bool = False) -> None:
        worktree, ledger = self.state / "runs" / run, open_ledger(self.state)
        if status != "waiting":
            run_entries.record_end(ledger, run, status, None, None)
        journal.write_journal(self.state, Journal(run=run, requested_by="ml-engineer", use_case="tiny", status=status))
        objects = frozenset(self._objects_of(worktree))
        known = KnownRun(
            run, status, self.now, released, digest(worktree, *names_in(worktree)), digest(worktree, *LASTING), objects,
            run_files.size_in_bytes([worktree, *map(self._object, objects)]),
        )  # fmt: skip
        self.known.append(known)

    def _objects_of(self, worktree: Path) -> Iterator[str]:
        cached = CachedObjects(self.state)
        for name in dvc_lock.stage_names(worktree):
            yield from cached.ids(dvc_lock.read_stage_entry(worktree, name) or {})

    def clean(self) -> dict[str, Any]:
        """Clean, check what is left, and return the figures of the cleaning."""
        here, began = Checkout(self.project), time.perf_counter()
        removed = removal.carry_out(here, plans.make_plan(here), lambda _: None)
        seconds = time.perf_counter() - began
        kept = self.kept_by_policy()
        gone = [each.run for each in self.known if not self._is_whole(each, everything=each.run in kept)]
        left = [path for path in (self.state / "runs").glob("*/artefacts") if path.parent.name not in kept]
        return {
            "runs": len(self.known), "kept_by_policy": len(kept), "cleaned": len(removed.runs),
            "seconds": round(seconds, 1), "mib": mib([self.state, self.project / ".git"]),
            "mib_without_clean": round(sum(each.size for each in self.known) / 2**20, 1),
            "mib_runs_and_cache": mib([self.state / "runs", self.state / "cache"]),
            "mib_ledger": mib(self.state.glob("ledger.db*")), "lost_of_kept": gone, "left_of_others": len(left),
        }  # fmt: skip

    def kept_by_policy(self) -> set[str]:
        """Return the runs that policy keeps, by an oracle that reads no file."""
        newest = {each.status: each.run for each in self.known}
        return {
            each.run
            for each in self.known
            if each.status == "waiting" or each.released or newest[each.status] == each.run
            or self.now - each.ended < timedelta(days=KEEP_DAYS)
        }  # fmt: skip

    def _is_whole(self, each: KnownRun, everything: bool) -> bool:
        worktree = self.state / "runs" / each.run
        if digest(worktree, *LASTING) != each.lasting:
            return False
        whole = digest(worktree, *names_in(worktree)) == each.everything
        return not everything or (whole and all(self._object(name).exists() for name in each.objects))


def names_in(worktree: Path) -> list[str]:
    return sorted(path.name for path in worktree.iterdir() if path.name not in (".git", ".dvc"))


def digest(worktree: Path, *names: str) -> str:
    """Return a digest of files and folders of a worktree. What is missing counts as empty."""
    found = hashlib.sha256()
    for name in names:
        for path in sorted([worktree / name, *(worktree / name).rglob("*")]):
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(f"{path.relative_to(worktree)} {files.sha256_file(path)}\n".encode())
    return found.hexdigest()


def mib(paths: Any) -> float:
    return round(run_files.size_in_bytes(list(paths)) / 2**20, 1)


def make_checkout(folder: Path) -> Path:
    make_project(folder)
    policy = POLICY.replace("    scheduler: true\n", f"    scheduler: true\n    keep_days: {KEEP_DAYS}\n", 1)
    (folder / "infra" / "governance" / "policy.yaml").write_text(policy.lstrip())
    commit(folder, f"keep_days: {KEEP_DAYS}")
    hallmark(folder, "init")
    return folder


def measure(folder: Path, runs: int, real: int) -> list[dict[str, Any]]:
    years, lines = Years(make_checkout(folder)), list[dict[str, Any]]()
    for number in range(runs):
        if number < real:
            years.make_real(number)
        else:
            years.make_copy(number, f"real-{number % real:04}")
        if number + 1 == real:
            years.keep_originals()
        if (number + 1) % (RUNS_PER_DAY * DAYS_PER_CLEANING) == 0 or number + 1 == runs:
            lines.append(years.clean())
            print("{runs:>6} {kept_by_policy:>6} {cleaned:>8} {seconds:>8} {mib:>9} {mib_without_clean:>13} "
                  "{mib_runs_and_cache:>15} {mib_ledger:>7}".format(**lines[-1]), flush=True)  # fmt: skip
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="all runs, the real ones included")
    parser.add_argument("--real", type=int, default=30, help="runs that execute their stages")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "clean_runs.json")
    args = parser.parse_args()
    if not 1 <= args.real <= args.runs:
        parser.error("--real: expected a number from 1 to that of --runs")
    print("  runs   kept  cleaned  seconds  MiB state  without clean  runs and cache  ledger")
    with tempfile.TemporaryDirectory() as name:
        lines = measure(Path(name) / "project", args.runs, args.real)
    lost, left = sum(len(line["lost_of_kept"]) for line in lines), lines[-1]["left_of_others"]
    print(f"runs that policy keeps and that lost something: {lost}; other runs with artefacts after cleaning: {left}")
    machine = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps([line | machine for line in lines], indent=2) + "\n")
    return int(bool(lost or left))


if __name__ == "__main__":
    sys.exit(main())
