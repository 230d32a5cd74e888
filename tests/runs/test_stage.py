"""A stage is taken by the signed record of the same work, and by nothing that somebody else put into the cache."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.core.errors import Refused
from tasks.core.files import sha256_file
from tasks.core.layout import Layout
from tasks.runs import stage as made
from tasks.runs.outputs import dvc, dvc_lock
from tasks.runs.run import Run
from tasks.runs.stage import WorkerKeys
from tasks.supervise import materials, record_store, sandbox
from tasks.trust import keys, stage_record
from tests import whole_run
from tests.checkouts import Checkouts
from tests.sandbox import needs_sandbox
from tests.tiny_project import create

pytestmark = pytest.mark.slow

POISON = """
import shutil
from pathlib import Path
from dvc.repo import Repo
with Repo(".") as repo, repo.lock:
    (stage,) = repo.stage.collect("clean")
    for path in Path("artefacts/clean").glob("*.parquet"):
        shutil.copyfile("artefacts/ingest/rows.parquet", path.with_suffix(".aside"))
        path.with_suffix(".aside").replace(path)
    stage.save()
    stage.commit()
"""
"""What anybody can do who may write to the cache; other code around a stage by hand, `dvc repro`, does the same."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return checkouts.warm(tmp_path_factory.mktemp("project") / "project")


def by(run: Run) -> WorkerKeys:
    return made.load_worker_keys(run.governance(), run.ledger())


def done(run: Run, *stages: str) -> dict[str, stage_record.SignedRecord]:
    outcomes = {name: made.provide_outputs(run.layout, name, by(run), print) for name in stages}
    assert all(outcome.record for outcome in outcomes.values())
    return {name: outcome.record for name, outcome in outcomes.items() if outcome.record}


@pytest.fixture(scope="module")
def first(project: Path) -> Run:
    run = create(project, "first")
    done(run, "ingest", "clean")
    return run


def path_of(layout: Layout, record: stage_record.SignedRecord) -> Path:
    return layout.state / record_store.RECORDS_FOLDER / f"{record.record.inputs_sha256}.json"


def lock_of(layout: Layout, record: stage_record.SignedRecord) -> Path:
    return layout.state / record_store.RECORDS_FOLDER / f"{record.record.taken_from or record.sha256}.lock.json"


def inodes(folder: Path) -> set[int]:
    return {path.stat().st_ino for path in folder.rglob("*") if path.is_file()}


def test_another_run_of_the_same_work_takes_it_and_says_from_where(project: Path, first: Run) -> None:
    second = create(project, "second")
    taken, before = done(second, "ingest", "clean"), done(first, "ingest", "clean")
    for name, record in taken.items():
        original = record_store.find_record(
            first.layout,
            name,
            materials.material_digests(name, first.layout),
            by(first).public_key_lines,
            needs_sandbox=False,
        )
        assert original and original.record.taken_from is None and original.record.environment.run == whole_run.RUN
        assert record.record.taken_from == before[name].record.taken_from == original.sha256
        assert (
            record.outputs == before[name].outputs == original.outputs
            and record.record.environment.run == whole_run.RUN
        )
    assert dvc_lock.read_stage_entry(second.layout.root, "clean") == dvc_lock.read_stage_entry(
        first.layout.root, "clean"
    )
    kept_there = inodes(first.layout.state / "cache")
    for run in (first, second):
        assert kept_there and not kept_there & inodes(run.layout.root / "artefacts"), (
            "a stage reaches none of the cache"
        )


@pytest.mark.attack(rights="commit", stopped="DVC's run cache is asked by nobody; a signed record is")
def test_what_somebody_put_into_the_run_cache_reaches_no_run(project: Path, first: Run) -> None:
    """The forged release began so: an experiment's code rewrote what a stage had left, and the next run took that."""
    third = create(project, "third")
    done(third, "ingest", "clean")
    poison = subprocess.run([sys.executable, "-c", POISON], cwd=third.layout.root, capture_output=True, text=True)
    assert not poison.returncode, poison.stderr
    poisoned = materials.output_digests("clean", third.layout)
    genuine = done(first, "clean")["clean"]
    assert poisoned != genuine.outputs
    path_of(first.layout, genuine).unlink()

    by_hand = create(project, "by-hand")
    done(by_hand, "ingest")
    assert dvc.repro(by_hand.layout, "clean", print).cached, "by hand it is taken from the run cache"
    assert materials.output_digests("clean", by_hand.layout) == poisoned

    fourth = create(project, "fourth")
    done(fourth, "ingest")
    outcome = made.provide_outputs(fourth.layout, "clean", by(fourth), print)
    assert not outcome.cached and materials.output_digests("clean", fourth.layout) == genuine.outputs
    again = made.provide_outputs(third.layout, "clean", by(third), print)
    assert again.cached and materials.output_digests("clean", third.layout) == genuine.outputs, (
        "nor does it stay where it was made"
    )


@pytest.mark.attack(rights="disk", stopped="what comes out of the cache is compared with the signed record")
def test_a_record_with_other_bytes_in_the_cache_is_computed_again(project: Path, first: Run) -> None:
    record = done(first, "clean")["clean"]
    (planted,) = (
        path
        for path in (project / ".hallmark" / "cache" / "files" / "md5").glob("*/*")
        if sha256_file(path) == record.outputs["artefacts/clean/result.json"]
    )
    planted.chmod(0o644)
    planted.unlink()
    planted.write_bytes(b"other bytes")
    planted.chmod(0o444)
    heard: list[str] = []
    run = create(project, "in-the-cache")
    done(run, "ingest")
    outcome = made.provide_outputs(run.layout, "clean", by(run), heard.append)
    assert not outcome.cached and materials.output_digests("clean", run.layout) == record.outputs
    assert "the cache has not what stage clean left, as it was signed; it is done again" in heard
    assert made.provide_outputs(create(project, "after").layout, "ingest", by(run), print).cached


def test_what_ended_just_before_a_kill_is_not_lost(project: Path, first: Run) -> None:
    """The supervisor had signed, and DVC was killed before it wrote dvc.lock and the cache."""
    run = create(project, "killed")
    record = done(run, "ingest", "clean")["clean"]
    (run.layout.root / "dvc.lock").write_bytes(dvc_lock.EMPTY_LOCK)
    lock_of(run.layout, record).unlink()
    outcome = made.provide_outputs(run.layout, "clean", by(run), print)
    assert outcome.cached and dvc_lock.read_stage_entry(run.layout.root, "clean")
    assert lock_of(run.layout, record).exists()


@pytest.fixture(scope="module")
def unsigned(project: Path, first: Run) -> tuple[Run, stage_record.SignedRecord]:
    """A run whose stage was killed between digest and signature, and computed again."""
    run = create(project, "unsigned")
    record = done(run, "ingest", "clean")["clean"]
    path_of(run.layout, record).unlink()
    outcome = made.provide_outputs(run.layout, "clean", by(run), print)
    assert outcome.record and not outcome.cached and path_of(run.layout, record).exists()
    return run, outcome.record


def test_a_record_says_what_was_read_and_left(unsigned: tuple[Run, stage_record.SignedRecord]) -> None:
    run, record = unsigned
    assert record.outputs == materials.output_digests("clean", run.layout)
    assert record.record.inputs == materials.material_digests("clean", run.layout)
    assert set(record.record.inputs) >= {"tasks", "params.yaml#data", "artefacts/ingest", "inputs/sources.json"}
    assert record.record.environment.sandbox == (None if sandbox.unavailable_reason() else sandbox.sandbox_version())
    assert record.record.environment.run == "unsigned" and record.record.taken_from is None
    assert not record.record.environment.network or sandbox.unavailable_reason()


@pytest.mark.attack(rights="disk", stopped="a record counts by the worker's signature, not by its place")
@pytest.mark.parametrize("how", ["another key", "other work", "no sandbox", "half a file"])
def test_a_planted_record_is_none(project: Path, first: Run, how: str) -> None:
    run = create(project, f"planted-{how.replace(' ', '-')}")
    done(run, "ingest", "clean")
    read, worker = materials.material_digests("clean", run.layout), by(run)
    genuine = record_store.find_record(run.layout, "clean", read, worker.public_key_lines, worker.needs_sandbox)
    assert genuine
    place = path_of(run.layout, genuine)
    before = place.read_bytes()
    ours, theirs = worker.signer, keys.make_signer(keys.load_private_key(run.layout.state / "keys" / "ml-engineer"))
    said = genuine.record
    if how == "another key":
        envelope = stage_record.sign_record(said, genuine.outputs, theirs)
    elif how == "other work":
        envelope = stage_record.sign_record(said.model_copy(update={"name": "deduplicate"}), genuine.outputs, ours)
    else:
        without = said.environment.model_copy(update={"sandbox": None})
        envelope = stage_record.sign_record(said.model_copy(update={"environment": without}), genuine.outputs, ours)
    text = json.dumps(envelope, sort_keys=True, separators=(",", ":"))
    place.write_text(text[: len(text) // 2] if how == "half a file" else text)
    assert record_store.find_record(run.layout, "clean", read, worker.public_key_lines, needs_sandbox=True) is None
    place.write_bytes(before)
    assert (
        record_store.find_record(run.layout, "clean", read, worker.public_key_lines, needs_sandbox=True)
        or sandbox.unavailable_reason()
    ), "the genuine one counts"


@needs_sandbox
def test_without_a_sandbox_the_record_says_so_and_counts_for_nobody_who_has_one(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create(project, "bare", changes={"data.test_share": "0.3"})
    path = sorted({str(Path(sys.executable).parent), "/usr/sbin"})
    shims = project.parent / "shims"
    shims.mkdir()
    for name in ("git", "sh", "rm"):
        (shims / name).symlink_to(f"/usr/bin/{name}")
    monkeypatch.setenv("PATH", ":".join([*path, str(shims)]))
    sandbox.unavailable_reason.cache_clear()
    try:
        assert sandbox.unavailable_reason() is not None
        record = done(run, "ingest")["ingest"]
        assert record.record.environment.sandbox is None
        assert made.provide_outputs(run.layout, "ingest", by(run), print).cached, "here it counts"
    finally:
        monkeypatch.undo()
        sandbox.unavailable_reason.cache_clear()
    worker, read = by(run), materials.material_digests("ingest", run.layout)
    assert worker.needs_sandbox, "a machine with a sandbox does it again"
    assert record_store.find_record(run.layout, "ingest", read, worker.public_key_lines, needs_sandbox=True) is None


def test_a_worker_whose_key_counts_no_more_is_told(project: Path, first: Run) -> None:
    worker = by(first)
    with pytest.raises(Refused, match="stage clean ended, and no record of it counts"):
        made.provide_outputs(first.layout, "clean", WorkerKeys(worker.signer, [], worker.needs_sandbox), print)
