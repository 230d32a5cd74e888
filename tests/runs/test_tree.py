"""What a commit may hold, the digest of all of it, and whether a folder still is that."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.core.errors import InputError
from tasks.runs.git import commit_tree
from tasks.runs.git.commit_tree import CommitTree
from tasks.runs.git.repository import Repository
from tests.tiny_project import commit, git


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    (folder / "tasks" / "data").mkdir(parents=True)
    (folder / "tasks" / "data" / "clean.py").write_text("rows = 1\n")
    (folder / "params.yaml").write_text("a: 1\n")
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o755)
    (folder / "latest").symlink_to("tasks/data")
    (folder / ".gitignore").write_text("__pycache__/\n*.log\n")
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit(folder, "one")
    return folder


def read(folder: Path) -> CommitTree:
    checkout = Repository.open(folder)
    return commit_tree.read_tree(checkout, checkout.commit_id("HEAD"))


def planted(path: str) -> Callable[[Path], None]:
    def plant(folder: Path) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("evil")

    return plant


def put(path: str) -> Callable[[Path], None]:
    def add(folder: Path) -> None:
        planted(path)(folder)
        git(folder, "add", "--force", path)

    return add


def link(path: str, target: str) -> Callable[[Path], None]:
    def add(folder: Path) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).symlink_to(target)

    return add


def submodule(folder: Path) -> None:
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{git(folder, 'rev-parse', 'HEAD')},vendored")


def link_through_a_link(folder: Path) -> None:
    """By its text it ends in the tree; the first link takes it to the top, and from there it climbs out."""
    (folder / "tasks" / "top").symlink_to("..")
    (folder / "tasks" / "out").symlink_to("top/../elsewhere")


def twice(folder: Path, kind: str) -> None:
    """A commit with a second `params.yaml`, which `git mktree` writes as it comes."""
    lines = [*git(folder, "ls-tree", "HEAD").splitlines(), f"{kind} {{}}\tparams.yaml"]
    name = git(folder, "rev-parse", "HEAD:tasks" if "tree" in kind else "HEAD:run")
    listed = "\n".join(lines).format(name) + "\n"
    made = subprocess.run(["git", "mktree"], cwd=folder, input=listed, check=True, capture_output=True, text=True)
    git(folder, "update-ref", "HEAD", git(folder, "commit-tree", "-m", "twice", made.stdout.strip()))


@pytest.mark.attack(rights="commit", stopped="a tree with two entries of one name makes no run")
@pytest.mark.parametrize("kind", ["100644 blob", "040000 tree"])
def test_two_entries_of_one_name_are_refused(clone: Path, kind: str) -> None:
    twice(clone, kind)
    with pytest.raises(InputError, match=r"\n  params\.yaml: two entries of one name"):
        read(clone)


REFUSED = {
    "bytecode": (put("tasks/__pycache__/clean.cpython-311.pyc"), "tasks/__pycache__/clean.cpython-311.pyc: compiled"),
    "anything where bytecode lies": (put("tasks/__pycache__/x.txt"), "tasks/__pycache__/x.txt: compiled"),
    "bytecode without a source": (put("tasks/data/told.pyc"), "tasks/data/told.pyc: compiled"),
    "a library": (put("tasks/fast.so"), "tasks/fast.so: compiled"),
    "sitecustomize": (put("sitecustomize.py"), "sitecustomize.py: a module at the top"),
    "usercustomize as a folder": (put("usercustomize/__init__.py"), "usercustomize: a module at the top"),
    "a module of the standard library": (put("json.py"), "json.py: a module at the top"),
    "a folder named as one": (put("email/deep/down.py"), "email: a module at the top"),
    "a package that is installed": (put("torch/__init__.py"), "torch: a module at the top"),
    "a link to a whole path": (link("data", "/etc"), "data: a link that leads out of the tree, to /etc"),
    "a link that climbs out": (link("tasks/up", "../../keys"), "tasks/up: a link that leads out"),
    "a link to the folder above": (link("up", ".."), "up: a link that leads out"),
    "a link through a link": (link_through_a_link, "tasks/out: a link that leads out"),
    **{
        f"what a run makes: {path}": (put(f"{path}/x.json"), f"{path}/x.json: what a run makes itself")
        for path in ("artefacts", "measured", "inputs", "gates", "evidence")
    },
    "state": (
        put(".hallmark/prefect/prefect.toml"),
        ".hallmark/prefect/prefect.toml: what Hallmark keeps on a machine",
    ),
    "a submodule": (submodule, "vendored: another repository"),
}


@pytest.mark.attack(rights="commit", stopped="a commit of what is not reviewed as source makes no run")
@pytest.mark.parametrize("what", REFUSED)
def test_a_commit_holds_nothing_that_stands_in_for_its_source(clone: Path, what: str) -> None:
    add, said = REFUSED[what]
    add(clone)
    if what != "a submodule":  # which `add --all` takes out again: its folder is not there
        git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "-m", "more")
    with pytest.raises(InputError) as refused:
        read(clone)
    assert f"\n  {said}" in str(refused.value)


def test_every_path_is_named_up_to_ten(clone: Path) -> None:
    for number in range(12):
        put(f"tasks/{number:02}.pyc")(clone)
    git(clone, "commit", "--quiet", "-m", "more")
    with pytest.raises(InputError, match=r"tasks/00\.pyc(.|\n)*tasks/09\.pyc(.|\n)*… and 2 more\ntake it out of git"):
        read(clone)


def test_links_inside_the_tree_and_folders_of_the_house_are_fine(clone: Path) -> None:
    link("tasks/data/params", "../../params.yaml")(clone)
    for path in ("tests/test_x.py", "examples/mine/make.py", "notes/torch.md", "torch/weights.txt", "own_code/x.py"):
        put(path)(clone)
    commit(clone, "more")
    assert "own_code/x.py" in {entry.path for entry in read(clone).entries}


def test_the_digest_is_of_content_and_mode_and_of_nothing_else(clone: Path) -> None:
    first = read(clone)
    git(clone, "commit", "--quiet", "--allow-empty", "-m", "another commit")
    assert read(clone).sha256 == first.sha256
    other = clone.parent / "other"
    git(clone.parent, "clone", "--quiet", str(clone), str(other))
    assert read(other) == first
    digests = {first.sha256}
    for change in (
        lambda: (clone / "run").chmod(0o644),
        lambda: (clone / "params.yaml").write_text("a: 2\n"),
        lambda: (clone / "params.yaml").rename(clone / "params.yml"),
        lambda: (clone / "latest").unlink() or (clone / "latest").symlink_to("tasks"),
    ):
        change()
        commit(clone, "changed")
        digests.add(read(clone).sha256)
    assert len(digests) == 5


def test_an_object_that_git_has_under_another_name_is_not_taken_for_it(clone: Path) -> None:
    """`git replace` shows another content under the name that a tree holds."""
    first = read(clone).sha256
    other = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], cwd=clone, input=b"a: 9\n", capture_output=True, check=True
    ).stdout.decode().strip()  # fmt: skip
    git(clone, "replace", git(clone, "rev-parse", "HEAD:params.yaml"), other)
    assert git(clone, "show", "HEAD:params.yaml") == "a: 9"
    assert read(clone).sha256 == first


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "tasks" / "pipe")


def other_link(folder: Path) -> None:
    (folder / "latest").unlink()
    (folder / "latest").symlink_to("tasks")


def folder_for_a_link(folder: Path) -> None:
    (folder / "latest").unlink()
    shutil.copytree(folder / "tasks" / "data", folder / "latest")


def link_for_a_folder(folder: Path) -> None:
    (folder / "tasks").rename(folder.parent / "moved")
    (folder / "tasks").symlink_to(folder.parent / "moved")


CHANGES = {
    "a file that git ignores": (planted("tasks/evil.log"), "tasks/evil.log"),
    "bytecode, which git ignores": (planted("tasks/__pycache__/c.pyc"), "tasks/__pycache__/c.pyc"),
    "a module at the top": (planted("json.py"), "json.py"),
    "a repository within": (planted("tasks/.git/HEAD"), "tasks/.git/HEAD"),
    "another content": (planted("params.yaml"), "params.yaml"),
    "a file that is gone": (lambda folder: (folder / "run").unlink(), "run"),
    "another mode": (lambda folder: (folder / "run").chmod(0o644), "run"),
    "a pipe": (pipe, "tasks/pipe"),
    "another link": (other_link, "latest"),
    "a folder for a link": (folder_for_a_link, "latest"),
    "a link for a folder": (link_for_a_folder, "tasks"),
}


@pytest.mark.attack(rights="worker", stopped="a worktree is compared whole with the tree that was asked for")
@pytest.mark.parametrize("what", CHANGES)
def test_a_worktree_that_is_not_its_tree_shows(clone: Path, what: str) -> None:
    asked = read(clone)
    assert asked.differing_paths(clone, [".git"]) == []
    change, path = CHANGES[what]
    change(clone)
    git(clone, "config", "filter.all.clean", "git show HEAD:%f")  # whoever writes here may write there too
    assert path in asked.differing_paths(clone, [".git"])


def test_what_a_run_makes_is_left_out_by_whole_names(clone: Path) -> None:
    asked = read(clone)
    for path in ("gates/data.json", "gates.py", "deep/gates/data.json"):
        planted(path)(clone)
    assert asked.differing_paths(clone, [".git", "gates"]) == ["deep/gates/data.json", "gates.py"]


def test_what_a_killed_writer_left_beside_a_file_of_the_run_is_no_change(clone: Path) -> None:
    asked = read(clone)
    for path in (".dvc.lock.0123456789abcdef", ".dvc/.config.0123456789abcdef", ".other.lock.0123456789abcdef"):
        planted(path)(clone)
    assert asked.differing_paths(clone, [".git", "dvc.lock", ".dvc/config"]) == [".other.lock.0123456789abcdef"]
