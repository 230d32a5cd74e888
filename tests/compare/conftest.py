"""A checkout whose run has passed its data gate, with two tiny base models beside it."""

import shutil
from pathlib import Path

import pytest

from tasks.core.files import tree_digest
from tasks.core.graph import DATA_STAGE_NAMES
from tasks.runs import journal
from tasks.runs.journal import Journal
from tasks.runs.run import Run, open_run
from tests import whole_run
from tests.checkouts import Checkouts
from tests.copies import copy_tree
from tests.tiny_project import create

BASES = """\
bases:
  - name: plain
    folder: examples/model
    sha256: {plain}
    licence: Apache-2.0
    lock_in: none, the weights are ours
  - name: louder
    folder: examples/louder
    sha256: {louder}
    licence: MIT
    usage_policy: no medical advice
    provider: Elsewhere Ltd
    region: us
"""


def amplify(folder: Path) -> None:
    """Another model of the same form: all its weights but norms are larger."""
    from safetensors.numpy import load_file, save_file

    path = folder / "model.safetensors"
    weights = load_file(path)
    larger = {name: value if "norm" in name else value * 3 for name, value in weights.items()}
    save_file(larger, path, metadata={"format": "pt"})


def come_to_its_rows(project: Path, run: str) -> Run:
    """Return a run that has its rows and waits at the data gate. With a warm cache no process is started."""
    made = create(project, run)
    for stage in DATA_STAGE_NAMES:
        whole_run.bring(made, stage)
    journal.write_journal(
        project / ".hallmark", Journal(run=run, requested_by="ml-engineer", use_case="tiny", status="waiting")
    )
    return made


@pytest.fixture(scope="session")
def waiting_project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    """The run has asked its data gate, and nobody has decided."""
    project = checkouts.warm(tmp_path_factory.mktemp("compare") / "waiting")
    louder = project / "examples" / "louder"
    shutil.copytree(project / "examples" / "model", louder)
    amplify(louder)
    bases = BASES.format(plain=tree_digest(project / "examples" / "model"), louder=tree_digest(louder))
    (project / "bases.yaml").write_text(bases)
    come_to_its_rows(project, whole_run.RUN)
    return project


@pytest.fixture(scope="session")
def passed_project(tmp_path_factory: pytest.TempPathFactory, waiting_project: Path) -> Path:
    """The run's data gate has passed. Tests copy it."""
    project = tmp_path_factory.mktemp("compare") / "passed"
    copy_tree(waiting_project, project)
    whole_run.pass_gate(open_run(project, whole_run.RUN), "data")
    return project


@pytest.fixture
def project(tmp_path: Path, passed_project: Path) -> Path:
    return copy_tree(passed_project, tmp_path / "project")
