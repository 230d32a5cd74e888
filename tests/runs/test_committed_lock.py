"""A commit's dvc.lock tells nothing of a run: DVC would take outputs out of the shared cache by it."""

from pathlib import Path

import pytest

from tasks.core.documents.config import read_yaml, to_plain_value
from tasks.runs.git import commit_tree
from tasks.runs.outputs import dvc
from tasks.runs.outputs.dvc_lock import EMPTY_LOCK
from tasks.runs.run import COMMITTED_PATHS, GENERATED_PATHS
from tests import whole_run
from tests.checkouts import Checkouts
from tests.tiny_project import commit, create, git


@pytest.mark.attack(rights="commit", stopped="no run knows of a stage that it did not do itself")
def test_a_committed_lock_brings_no_outputs(tmp_path: Path, checkouts: Checkouts) -> None:
    folder = checkouts.warm(tmp_path / "project")
    first = create(folder, "20260101-000000-aaaa")
    whole_run.bring(first, "ingest")
    lock, cache = first.layout.root / "dvc.lock", folder / ".hallmark" / "cache"
    digest = to_plain_value(read_yaml(lock))["stages"]["ingest"]["outs"][0]["md5"]
    listing = cache / "files" / "md5" / digest[:2] / digest[2:]
    forged = listing.parent / f"{'0' * 30}.dir"  # of what a run of other code left: fewer files
    forged.write_text("[]")
    (folder / "dvc.lock").write_text(lock.read_text().replace(digest, f"{digest[:2]}{'0' * 30}.dir"))
    commit(folder, "The lock that a run left")
    second = create(folder, "20260101-000000-bbbb")
    assert (second.layout.root / "dvc.lock").read_bytes() == EMPTY_LOCK
    assert git(second.layout.root, "show", "HEAD:dvc.lock") == EMPTY_LOCK.decode().strip()
    dvc.repro(second.layout, "ingest", print)
    assert to_plain_value(read_yaml(second.layout.root / "dvc.lock"))["stages"]["ingest"]["outs"][0]["md5"] == digest
    second.require_unchanged()


def test_what_is_not_compared_with_the_commit_is_in_no_commit() -> None:
    """params.yaml is on record, dvc.lock begins empty, settings of DVC are ours, and git holds no .git."""
    assert {*COMMITTED_PATHS, *GENERATED_PATHS} == {
        *commit_tree.RUN_OUTPUT_PATHS,
        "params.yaml",
        "dvc.lock",
        ".git",
        *dvc.FIXED_FILES,
    }
