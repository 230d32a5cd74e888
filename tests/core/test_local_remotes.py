"""A push to a repository in a folder of this machine runs no program that its folder names."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.core.local_remotes import is_local, push_options
from tasks.ledger.heads.places.git import GitPlace
from tasks.runs.git.repository import Repository
from tests.tiny_project import git, start_history

HOOKS = ("pre-receive", "update", "reference-transaction", "proc-receive", "post-receive", "post-update")
PUSHES: dict[str, Callable[[Path, str], object]] = {
    "a run": lambda here, remote: Repository.open(here).push_ref(remote, "refs/heads/main"),
    "heads": lambda here, remote: GitPlace(remote, here / "kept").add({1: b"{}"}),
}


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A bare repository into whose folder somebody else has put hooks and settings, and what these would write."""
    folder, proof = tmp_path / "shared.git", tmp_path / "proof"
    git(tmp_path, "init", "--quiet", "--bare", folder.name)
    (folder / "hooks").mkdir(exist_ok=True)
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho run >> {proof}\n")
    program.chmod(0o755)
    for name in HOOKS:
        (folder / "hooks" / name).symlink_to(program)
    git(tmp_path, "init", "--quiet", "--bare", "other.git")
    (folder / "objects" / "info" / "alternates").write_text(f"{tmp_path}/other.git/objects\n")
    for key in ("core.alternateRefsCommand", "gc.recentObjectsHook", "core.fsmonitor", "uploadpack.packObjectsHook"):
        git(folder, "config", key, str(program))
    (folder / "others").mkdir()
    (folder / "others" / "pre-receive").symlink_to(program)
    git(folder, "config", "core.hooksPath", str(folder / "others"))
    git(folder, "config", "gc.auto", "1")
    return folder


@pytest.fixture
def here(tmp_path: Path) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "file").write_text("x")
    start_history(folder, "first")
    return folder


@pytest.mark.attack(rights="disk", stopped="a push to a folder runs no hook and no program of its repository")
@pytest.mark.parametrize(
    ("what", "how"), [("a run", "path"), ("a run", "url"), ("a run", "name"), ("heads", "path"), ("heads", "url")]
)
def test_a_push_runs_nothing_of_the_other_repository(what: str, how: str, shared: Path, here: Path) -> None:
    git(here, "remote", "add", "theirs", str(shared))
    PUSHES[what](here, {"path": str(shared), "url": f"file://{shared}", "name": "theirs"}[how])
    assert git(shared, "for-each-ref", "--format=%(refname)"), "it was pushed"
    assert not (shared.parent / "proof").exists()


def test_the_same_push_without_the_option_runs_them(shared: Path, here: Path) -> None:
    git(here, "push", "--quiet", str(shared), "main")
    assert (shared.parent / "proof").read_text()


@pytest.mark.parametrize(
    ("remote", "local"),
    [
        ("/srv/heads.git", True),
        ("../heads.git", True),
        ("file:///srv/heads.git", True),
        ("./odd:name.git", True),
        ("host:heads.git", False),
        ("user@host:/srv/heads.git", False),
        ("ssh://host/heads.git", False),
        ("https://host/heads.git", False),
    ],
)
def test_what_is_on_another_machine_is_asked_as_always(remote: str, local: bool) -> None:
    assert is_local(remote) is local and bool(push_options(remote)) is local
