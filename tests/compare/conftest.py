"""A checkout whose run has passed its data gate, with two tiny base models beside it."""

import shutil
from pathlib import Path

import pytest

from tasks.core.files import tree_digest
from tasks.runs import journal
from tasks.runs.journal import Journal
from tests import whole_run
from tests.checkouts import Checkouts
from tests.stages.evaluate.house import enliven
from tests.tiny_project import create

DATA = ("ingest", "clean", "deduplicate", "validate", "split")
BASES = """\
bases:
  - name: plain
    folder: examples/model
    sha256: {plain}
    licence: Apache-2.0
    lock_in: none, the weights are ours
  - name: lively
    folder: examples/lively
    sha256: {lively}
    licence: MIT
    usage_policy: no medical advice
    provider: Elsewhere Ltd
    region: us
"""


def come_to_its_rows(project: Path, run: str) -> whole_run.Run:
    """A run of the project, with its rows at the data gate."""
    made = create(project, run)
    for stage in DATA:
        whole_run.bring(made, stage)
    journal.write(
        project / ".hallmark", Journal(run=run, requested_by="ml-engineer", use_case="tiny", status="waiting")
    )
    return made


@pytest.fixture(scope="session")
def waiting_project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    """The run has asked its data gate, and nobody has decided."""
    project = checkouts.ready(tmp_path_factory.mktemp("compare") / "waiting")
    lively = project / "examples" / "lively"
    shutil.copytree(project / "examples" / "model", lively)
    enliven(lively)
    bases = BASES.format(plain=tree_digest(project / "examples" / "model"), lively=tree_digest(lively))
    (project / "bases.yaml").write_text(bases)
    come_to_its_rows(project, whole_run.RUN)
    return project


@pytest.fixture(scope="session")
def passed_project(tmp_path_factory: pytest.TempPathFactory, waiting_project: Path) -> Path:
    """The run's data gate has passed. Tests copy it."""
    project = tmp_path_factory.mktemp("compare") / "passed"
    shutil.copytree(waiting_project, project, symlinks=True)
    from tasks.runs.run import open_run

    whole_run.pass_gate(open_run(project, whole_run.RUN), "data")
    return project


@pytest.fixture
def project(tmp_path: Path, passed_project: Path) -> Path:
    return Path(shutil.copytree(passed_project, tmp_path / "project", symlinks=True))
