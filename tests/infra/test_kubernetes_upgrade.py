"""An image with newer code on a claim that an older image has used, with the mounts of the chart and real git."""

import json
import os
import sys
from pathlib import Path

import pytest

from tests.chart import Pod, manifests, pods
from tests.chart_pod import execute, needs_bubblewrap
from tests.tiny_project import commit, git

pytestmark = needs_bubblewrap
LOOK = """
import json, sys
from pathlib import Path
from tasks.runs.git.repository import Repository

checkout, run = Repository.open(Path("/srv/hallmark")), Path("/srv/hallmark/.hallmark/runs/run")
if not run.exists():
    run.parent.mkdir()
    checkout.add_worktree(run, "HEAD")
(run / "evidence").write_text(sys.argv[1])
checkout.commit_paths(run, ["evidence"], sys.argv[1], "hallmark")
log = checkout.run_git("log", "--format=%s", cwd=run).splitlines()
print(json.dumps([checkout.commit_id("HEAD"), checkout.uncommitted_changes(), (run / "code").read_text(), log]))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch", "main")
    (root / ".gitignore").write_text(".hallmark\n")
    return root


def make_image(project: Path, code: str) -> tuple[Path, str]:
    """Commit code, and return the folder that an image of it has at /srv/hallmark, and the commit."""
    (project / "code").write_text(code)
    commit(project, code)
    folder = project.with_name(f"image-{code}")
    git(project, "clone", "--quiet", "--no-hardlinks", str(project), str(folder))
    (folder / ".hallmark").mkdir()
    return folder, git(project, "rev-parse", "HEAD").strip()


def look(pod: Pod, image: Path, said: str, volumes: Path) -> list[object]:
    """Start a pod, and continue a run in it. Return HEAD, changed files, and the run's code and commits."""
    volumes.mkdir(exist_ok=True)
    for name in ("tmp", "checkout", "keys"):  # each pod has its own
        (volumes / name).exists() and (volumes / name).rename(volumes / f"{name}-{said}")
    for first in pod.spec["initContainers"]:
        execute(first, image, volumes)
    (container,) = pod.spec["containers"]
    return list(json.loads(execute(container, image, volumes, [sys.executable, "-I", "-c", LOOK, said])))


@pytest.mark.parametrize(("which", "part", "place"), [("nothing", "runner", "git"), ("one node", "watch", "state/git")])
def test_another_image_brings_its_code_and_runs_keep_theirs(
    which: str, part: str, place: str, project: Path, tmp_path: Path
) -> None:
    (pod,) = [each for each in pods(manifests(which)) if each.part == part]
    (old, first), (new, second) = make_image(project, "old"), make_image(project, "new")
    volumes = tmp_path / "volumes"
    assert look(pod, old, "begun", volumes) == [first, [], "old", ["begun", "old"]]
    assert look(pod, new, "upgraded", volumes) == [second, [], "old", ["upgraded", "begun", "old"]]
    back = look(pod, old, "back", volumes)
    assert back[:2] == [first, []], "an older image is the way back, and a job of one may still start"
    kept = git(volumes / "state" / place, "for-each-ref", "--format=%(objectname)", "refs/hallmark/images")
    assert kept.split() and {first, second} <= {*kept.split()}, "git forgets the code of no image"


@pytest.mark.skipif(os.getuid() != 0, reason="another user's folder can be made by root alone")
def test_a_claim_of_another_user_is_refused_and_takes_a_folder(project: Path, tmp_path: Path) -> None:
    """Hallmark works in a state of its own user alone, and most storage gives a new claim to root."""
    image, _ = make_image(project, "code")
    (claim := tmp_path / "volumes" / "state").mkdir(parents=True)
    os.chown(claim, 4711, 4711)
    (pod,) = [each for each in pods(manifests("nothing")) if each.part == "watch"]
    with pytest.raises(AssertionError, match=r"the claim belongs to another user; give state\.folder"):
        look(pod, image, "refused", tmp_path / "volumes")
