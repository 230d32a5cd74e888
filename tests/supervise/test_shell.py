"""A stage of a run in its sandbox, as DVC starts it: what the run's own code may try, and what its supervisor takes."""

from pathlib import Path

import pytest

from tasks.core.errors import InputError, Refused
from tasks.core.layout import Layout
from tasks.runs import dvc
from tests.checkouts import Checkouts
from tests.sandbox import needs_sandbox
from tests.tiny_project import commit, create

pytestmark = [needs_sandbox, pytest.mark.slow]

CLEAN = Path("tasks/stages/data/clean/clean.py")
LOOKS_AROUND = """

def run(params, layout):
    import os, socket
    from tasks.core.errors import InputError

    state, reached = layout.state, [name for name in os.environ if name.startswith(("AWS", "SSH", "HALLMARK_VAULT"))]
    for path in (state / "keys" / "gate", state / "keys" / "vault", state / "ledger.db", state / "vault" / "vault.db",
                 state / "prefect", state / "runs" / "other", layout.root / ".git", layout.root / "infra",
                 layout.root / "artefacts" / "validate", layout.root / "tasks" / "gates", state.parent / "params.yaml"):
        if path.exists():
            reached.append(path.name)
    for path in (layout.root / "params.yaml", layout.root / "artefacts" / "ingest" / "records.parquet",
                 layout.root / "tasks" / "stages" / "start.py"):
        try:
            path.write_bytes(b"mine")
            reached.append(path.name)
        except OSError:
            pass
    raise InputError(f"reached: {reached}")
"""
LEAVES_A_LINK = """

_cleaned = run
def run(params, layout):
    result = _cleaned(params, layout)
    (layout.stage("clean") / "more").symlink_to("/etc")
    return result
"""


def run_with(project: Path, added: str) -> Layout:
    """A run of a commit whose stage `clean` is another, with what `ingest` leaves."""
    code = project / CLEAN
    code.write_text(code.read_text() + added)
    commit(project, "Another way to clean")
    layout = create(project, "20260101-000000-abcd").layout
    (layout.state / "runs" / "other").mkdir()
    assert dvc.repro(layout, "ingest", print, supervised=True).cached is False
    return layout


@pytest.mark.attack(rights="stage", stopped="a stage sees its own code, its inputs and nothing else")
def test_the_runs_own_code_reaches_nothing_that_judges_it(
    tmp_path: Path, checkouts: Checkouts, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, "secret")
    layout = run_with(checkouts.ready(tmp_path / "project"), LOOKS_AROUND)
    with pytest.raises(InputError, match=r"^stage clean: reached: \[\]$"):
        dvc.repro(layout, "clean", print, supervised=True)
    assert not layout.stage("clean").exists() and not list((layout.state / "boxes").iterdir())


@pytest.mark.attack(rights="stage", stopped="of what a stage leaves, plain files and folders are taken")
def test_what_it_leaves_is_looked_through_before_it_counts(tmp_path: Path, checkouts: Checkouts) -> None:
    layout = run_with(checkouts.ready(tmp_path / "project"), LEAVES_A_LINK)
    killed = layout.state / "boxes" / "999999999-abcd"
    killed.mkdir()
    with pytest.raises(Refused, match="stage clean left clean/more, which is no plain file; nothing of it is taken"):
        dvc.repro(layout, "clean", print, supervised=True)
    assert not layout.stage("clean").exists()
    assert not killed.exists(), "what a killed supervisor left is swept up"


@pytest.mark.attack(rights="commit", stopped="the graph is that of the Hallmark that judges")
def test_a_commit_with_a_graph_of_its_own_makes_no_run(tmp_path: Path, checkouts: Checkouts) -> None:
    project = checkouts.ready(tmp_path / "project")
    graph = project / "dvc.yaml"
    graph.write_text(graph.read_text().replace("outs: [artefacts/clean]", "outs: [../../keys]"))
    commit(project, "Another graph")
    with pytest.raises(InputError, match=r"dvc\.yaml of the commit is not that of this Hallmark"):
        create(project, "20260101-000000-abcd")
