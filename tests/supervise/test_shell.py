"""A stage of a run in its sandbox, as DVC starts it: what the run's own code may try, and what its supervisor takes."""

import shutil
from pathlib import Path

import pytest

from tasks.core.errors import InputError, Refused, Unavailable
from tasks.core.files import read_json, sha256_bytes
from tasks.core.layout import Layout
from tasks.runs.outputs import dvc
from tasks.runs.run import Run
from tests.checkouts import Checkouts
from tests.object_store import in_bucket
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
    (layout.artefacts("clean") / "more").symlink_to("/etc")
    return result
"""


SAYS_A_KEY = """

def run(params, layout):
    import os, sys
    os.symlink(layout.state / "keys" / "worker", layout.root / "measured" / "clean.error")
    sys.exit(1)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return checkouts.ready(tmp_path_factory.mktemp("project") / "project")


HOSTILE = """[core]
    remote = theirs
    site_cache_dir = ../../mlflow/x
['remote "theirs"']
    url = STORE
"""


@pytest.fixture(scope="module")
def ingested(project: Path) -> Run:
    """A run of a commit that says much of DVC, behind its first stage."""
    before = (project / ".dvcignore").read_bytes()
    (project / ".dvc" / "config").write_text(HOSTILE.replace("STORE", str(project.with_name("store"))))
    (project / ".dvcignore").write_text("artefacts/ingest/rows.parquet\n")
    commit(project, "Settings of DVC")
    run = create(project, "settings")
    (project / ".dvc" / "config").write_bytes(dvc.FIXED_FILES[".dvc/config"])  # an operator's own checkout is theirs
    (project / ".dvcignore").write_bytes(before)
    commit(project, "As before")
    dvc.repro(run.layout, "ingest", print, supervised=True)
    return run


def run_with(project: Path, ingested: Run, added: str) -> Layout:
    """A run of a commit whose stage `clean` is another, with what `ingest` leaves."""
    code, genuine = project / CLEAN, (Path(__file__).parents[2] / CLEAN).read_text()
    code.write_text(genuine + added)
    commit(project, "Another way to clean")
    layout = create(project, f"run-{sha256_bytes(added.encode())[:8]}").layout
    (layout.state / "runs" / "other").mkdir(exist_ok=True)
    shutil.copytree(ingested.layout.artefacts("ingest"), layout.artefacts("ingest"))
    return layout


@pytest.mark.attack(rights="stage", stopped="a stage sees its own code, its inputs and nothing else")
def test_the_runs_own_code_reaches_nothing_that_judges_it(
    project: Path, ingested: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK"):
        monkeypatch.setenv(name, "secret")
    layout = run_with(project, ingested, LOOKS_AROUND)
    with pytest.raises(InputError, match=r"^stage clean: reached: \[\]$"):
        dvc.repro(layout, "clean", print, supervised=True)
    assert not layout.artefacts("clean").exists() and not list((layout.state / "boxes").iterdir())


@pytest.mark.attack(rights="stage", stopped="of what a stage leaves, plain files and folders are taken")
def test_what_it_leaves_is_looked_through_before_it_counts(project: Path, ingested: Run) -> None:
    layout = run_with(project, ingested, LEAVES_A_LINK)
    killed = layout.state / "boxes" / "999999999-abcd"
    killed.mkdir()
    with pytest.raises(Refused, match="stage clean left clean/more, which is no plain file; nothing of it is taken"):
        dvc.repro(layout, "clean", print, supervised=True)
    assert not layout.artefacts("clean").exists()
    assert not killed.exists(), "what a killed supervisor left is swept up"


@pytest.mark.attack(rights="stage", stopped="why a stage failed is read from a file of its own alone")
def test_why_it_failed_shows_nothing_that_it_does_not_reach(project: Path, ingested: Run) -> None:
    layout = run_with(project, ingested, SAYS_A_KEY)
    with pytest.raises(Unavailable) as told:
        dvc.repro(layout, "clean", print, supervised=True)
    assert "PRIVATE KEY" not in str(told.value) and not (layout.root / "measured" / "clean.error").exists()


@pytest.mark.attack(rights="commit", stopped="of what a commit says of DVC itself nothing counts")
def test_a_commit_says_nothing_to_dvc(project: Path, ingested: Run) -> None:
    ingested.require_unchanged()
    dvc.push_outputs(ingested.layout)
    state = ingested.layout.state
    assert not project.with_name("store").exists()
    assert not (state / "mlflow" / "x").exists() and not (state / "runs" / "mlflow").exists()
    assert (ingested.layout.artefacts("ingest") / "rows.parquet").exists()


@pytest.mark.attack(rights="commit", stopped="the graph is that of the Hallmark that judges")
def test_a_commit_with_a_graph_of_its_own_makes_no_run(project: Path) -> None:
    graph, before = project / "dvc.yaml", (project / "dvc.yaml").read_text()
    graph.write_text(before.replace("outs: [artefacts/clean]", "outs: [../../keys]"))
    commit(project, "Another graph")
    with pytest.raises(InputError, match=r"dvc\.yaml of the commit is not that of this Hallmark"):
        create(project, "20260101-000000-abcd")
    graph.write_text(before)
    commit(project, "The graph as before")


@pytest.mark.s3
def test_a_source_in_a_store_is_read_over_the_port_that_its_settings_name(
    project: Path, object_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a network, of which all other ports are closed, and with no way to the vault but its supervisor."""
    declared = project / "infra" / "governance" / "sources.yaml"
    in_bucket(object_store, "boxed", monkeypatch).put(str(project / "examples" / "messages.csv"), "boxed/messages.csv")
    before = declared.read_text()
    declared.write_text(before.replace("location: examples/messages.csv", "location: s3://boxed/messages.csv"))
    commit(project, "The source lies in a store")
    run = create(project, "stored")
    declared.write_text(before)
    commit(project, "As before")
    dvc.repro(run.layout, "ingest", print, supervised=True)
    assert read_json(run.layout.artefacts("ingest") / "result.json")["sources"][0]["counts"]["records"]
