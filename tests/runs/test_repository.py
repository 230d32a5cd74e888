"""A run's git work leaves the user's checkout, index and branch as they were."""

import shutil
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tasks.core import files
from tasks.core.errors import InputError, Unavailable
from tasks.core.machine import transfers
from tasks.ledger.heads.places.git import GitPlace
from tasks.runs.git.repository import Repository
from tests.tiny_project import commit, git


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch", "main")
    (folder / "file.txt").write_text("one\n")
    commit(folder, "one")
    return folder


def test_a_folder_that_is_no_clone_is_told_how_to_become_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="git init"):
        Repository.open(tmp_path)


def test_a_clone_without_a_commit_is_refused(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    with pytest.raises(InputError, match="not a git clone with a commit"):
        Repository.open(tmp_path)


def test_a_folder_inside_a_clone_is_sent_to_its_top(clone: Path) -> None:
    (clone / "below").mkdir()
    with pytest.raises(InputError, match="start Hallmark there"):
        Repository.open(clone / "below")


def test_a_snapshot_holds_every_change_and_touches_nothing(clone: Path) -> None:
    (clone / "file.txt").write_text("two\n")
    (clone / "new.txt").write_text("new\n")
    git(clone, "add", "new.txt")
    before = (git(clone, "status", "--porcelain"), git(clone, "rev-parse", "main"))
    snapshot = Repository.open(clone).commit_snapshot()
    assert git(clone, "show", f"{snapshot}:file.txt") == "two"
    assert git(clone, "show", f"{snapshot}:new.txt") == "new"
    assert (git(clone, "status", "--porcelain"), git(clone, "rev-parse", "main")) == before


def test_dvc_lock_of_work_by_hand_does_not_make_a_checkout_dirty(clone: Path) -> None:
    (clone / "dvc.lock").write_text("x")
    repository = Repository.open(clone)
    assert repository.uncommitted_changes() == []
    (clone / "other.txt").write_text("x")
    assert [line.strip() for line in repository.uncommitted_changes()] == ["?? other.txt"]


def test_a_worktree_commits_ignored_files_beside_the_branch(clone: Path) -> None:
    (clone / ".gitignore").write_text("/inputs/\n")
    head = commit(clone, "ignore inputs")
    repository = Repository.open(clone)
    worktree = clone / ".hallmark" / "runs" / "r1"
    repository.add_worktree(worktree, head)
    (worktree / "inputs").mkdir()
    (worktree / "inputs" / "a.json").write_text("{}")
    made = repository.commit_paths(worktree, ["inputs", "absent"], "resolve", "ml-engineer")
    assert git(clone, "show", "--format=%an", "--name-only", made).split() == ["ml-engineer", "inputs/a.json"]
    assert git(clone, "rev-parse", "main") == head
    assert repository.commit_paths(worktree, ["inputs"], "again", "ml-engineer") == made


@pytest.mark.parametrize("lost", ["", "r1", "r1.git"], ids=["half made", "without its files", "without its HEAD"])
def test_a_worktree_that_an_interruption_left_is_made_again(clone: Path, lost: str) -> None:
    head = git(clone, "rev-parse", "HEAD")
    worktree = clone / ".hallmark" / "runs" / "r1"
    Repository.open(clone).add_worktree(worktree, head)
    (worktree / "inputs").mkdir()
    (worktree / "inputs" / "sources.json").write_text("{}")
    if lost:
        shutil.rmtree(worktree.with_name(lost))
    Repository.open(clone).add_worktree(worktree, head)
    assert (worktree / "file.txt").exists() and not (worktree / "inputs").exists()
    assert git(worktree, "status", "--porcelain") == ""


def test_a_copy_has_worktrees_of_its_own(clone: Path, tmp_path: Path) -> None:
    """Whatever git does in the copy, it neither changes nor deletes what the original has."""
    (clone / ".gitignore").write_text("/.hallmark/\n")
    head, copy = commit(clone, "ignore"), tmp_path / "elsewhere" / "copy"
    worktree = clone / ".hallmark" / "runs" / "r1"
    Repository.open(clone).add_worktree(worktree, head)
    shutil.copytree(clone, copy, symlinks=True)
    before = files.tree_manifest(clone)

    theirs = copy / ".hallmark" / "runs" / "r1"
    (theirs / "file.txt").write_text("changed\n")
    made = Repository.open(copy).commit_paths(theirs, ["file.txt"], "in the copy", "ml-engineer")
    git(copy, "update-ref", "refs/hallmark/runs/r1", made)
    for command in ("worktree prune", "gc --quiet --prune=now", "branch side", "worktree list"):
        git(copy, *command.split())
    assert git(theirs, "rev-parse", "HEAD") == made and git(theirs, "status", "--porcelain") == ""
    shutil.rmtree(theirs)
    git(copy, "worktree", "prune", "--expire", "now")
    assert files.tree_manifest(clone) == before
    assert git(worktree, "rev-parse", "HEAD") == head and git(worktree, "status", "--porcelain") == ""


def test_a_worktree_of_a_checkout_that_is_a_worktree_itself(clone: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    git(clone, "worktree", "add", "--quiet", "--detach", str(other))
    repository, worktree = Repository.open(other), other / ".hallmark" / "runs" / "r1"
    repository.add_worktree(worktree, git(clone, "rev-parse", "main"))
    (worktree / "file.txt").write_text("changed\n")
    made = repository.commit_paths(worktree, ["file.txt"], "beside", "ml-engineer")
    assert git(clone, "show", f"{made}:file.txt") == "changed"


def test_a_commit_that_was_killed_does_not_lock_out_the_next(clone: Path) -> None:
    repository, worktree = Repository.open(clone), clone / ".hallmark" / "runs" / "r1"
    repository.add_worktree(worktree, git(clone, "rev-parse", "HEAD"))
    Path(worktree, git(worktree, "rev-parse", "--git-path", "index.lock")).touch()
    (worktree / "file.txt").write_text("changed")
    made = repository.commit_paths(worktree, ["file.txt"], "again", "ml-engineer")
    assert git(clone, "show", f"{made}:file.txt") == "changed"


def test_an_unknown_revision_is_a_clear_error(clone: Path) -> None:
    with pytest.raises(InputError, match="not a commit"):
        Repository.open(clone).commit_id("nonsense")


@pytest.mark.attack(rights="approver", stopped="a name that a ref and something else have is refused, with both named")
@pytest.mark.parametrize("suffix", ["", "~0", "^{}", "^{commit}"])
@pytest.mark.parametrize("of", ["commit", "described", "main", "release@2"])
def test_a_tag_with_the_name_of_something_else_is_not_taken_for_it(clone: Path, of: str, suffix: str) -> None:
    repository = Repository.open(clone)
    good = git(clone, "rev-parse", "HEAD")
    name = {"commit": good[:7], "described": f"v1.0-3-g{good[:7]}"}.get(of, of)
    git(clone, "branch", "release@2")
    repository.require_unambiguous(name + suffix)
    git(clone, "commit", "--allow-empty", "-m", "bad")
    git(clone, "tag", name, "HEAD")
    git(clone, "reset", "--hard", good)
    with pytest.raises(InputError, match=f"'{name}' names .*refs/tags/{name} .*; give the whole id"):
        repository.require_unambiguous(name + suffix)
    for whole in (good, "HEAD", f"refs/tags/{name}", "HEAD~0", f"{good}^{{commit}}"):
        repository.require_unambiguous(whole)


@pytest.mark.attack(rights="approver", stopped="git takes what somebody gives for a name, never for an option")
@pytest.mark.parametrize(
    "call",
    [
        lambda repository, given: repository.commit_id(given),
        lambda repository, given: repository.require_unambiguous(given),
        lambda repository, given: repository.changed_files("HEAD", given, []),
        lambda repository, given: repository.changed_files(given, "HEAD", []),
        lambda repository, given: repository.push_ref(given, "refs/heads/main"),
        lambda repository, given: repository.add_worktree(repository.root / "tree", given),
        lambda repository, given: repository.has_file("HEAD", given),
        lambda repository, given: GitPlace(given, repository.root / "kept").sizes(),
    ],
    ids=[
        "the commit to run", "the commit to sign off", "a commit to compare", "another", "the remote",
        "a worktree's commit", "the params file", "a place of the ledger's heads",
    ],
)  # fmt: skip
@pytest.mark.parametrize("option", ["--output=", "--upload-pack=touch ", "--receive-pack=touch "])
def test_git_is_given_no_option(clone: Path, call: Callable[[Repository, str], object], option: str) -> None:
    written = clone.parent / "written"
    with suppress(InputError, Unavailable):
        assert not call(Repository.open(clone), f"{option}{written}")
    assert not written.exists()


@pytest.mark.parametrize(
    "reach",
    [
        lambda repository, remote: repository.fetch_ref(remote, "refs/hallmark/runs/x"),
        lambda repository, remote: repository.fetch_branches(remote),
        lambda repository, remote: repository.push_ref(remote, "refs/heads/main"),
    ],
    ids=["fetch", "fetch of branches", "push"],
)
def test_a_remote_that_takes_the_connection_and_says_nothing_is_away(
    clone: Path, monkeypatch: pytest.MonkeyPatch, reach: Callable[[Repository, str], object]
) -> None:
    monkeypatch.setattr(transfers, "STALL_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        with pytest.raises(Unavailable, match=r"has read and written nothing for 0\.5 s"):
            reach(Repository.open(clone), f"http://127.0.0.1:{server.getsockname()[1]}/x.git")
        connection, _ = server.accept()
        with connection:
            while connection.recv(4096):  # its end: git's own helper was ended too
                pass


def test_a_transfer_that_moves_is_not_cut(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(transfers, "STALL_SECONDS", 0.3)
    slow = "import time\nfor n in range(20): print(n, flush=True); time.sleep(0.1)"
    done = transfers.run_transfer("slow", [sys.executable, "-c", slow], tmp_path, {})
    assert done.returncode == 0 and done.stdout.split()[-1] == b"19"
