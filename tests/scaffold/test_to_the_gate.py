"""A file of two columns to the data gate by what `hallmark new` says comes next, with no start that fails."""

import shlex
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from tasks.core import config
from tasks.core.layout import Layout
from tasks.core.steps.data import DATA
from tasks.gates import evidence
from tasks.runs.repository import Repository
from tasks.runs.request import RunRequest
from tasks.runs.run import Run, check_request
from tests.checkouts import Checkouts
from tests.in_process import hallmark, hallmark_json
from tests.scaffold.files import as_csv, letters
from tests.tiny_project import ROOT, commit, create, git

FILE = Path("garden.csv")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Run:
    """As a new user who types what is printed, under the sample's policy, to the last stage before the gate."""
    project = checkouts.ready(tmp_path_factory.mktemp("gate") / "project")
    for name in ("policy.yaml", "people.yaml"):
        shutil.copy(ROOT / "infra" / "governance" / name, project / "infra" / "governance" / name)
    commit(project, "The sample's policy")
    file = project.parent / FILE
    file.write_text(as_csv(letters()))
    said = ("--owner", "data-owner", "--licence", "ours", "--basis", "no personal data", "--purpose", "name the topic")
    add, init, ask = hallmark_json(project, "new", "garden", "--from", str(file), *said)["next"]
    git(project, "config", "user.name", "user")
    git(project, "config", "user.email", "user@example.invalid")
    subprocess.run(add, shell=True, cwd=project, check=True, capture_output=True)
    hallmark(project, *shlex.split(init)[1:])
    words = shlex.split(ask)
    asked = dict(zip(words[2::2], words[3::2], strict=True))
    assert words[:2] == ["hallmark", "run"] and set(asked) == {"--as", "--params", "--governance"}
    made = create(project, "one", asked["--as"], params=asked["--params"], governance=asked["--governance"])
    for stage in DATA:
        module = import_module(stage.module)
        module.run(config.load_sections(made.layout.params, module.Params), made.layout)
    return made


def test_every_check_of_the_data_gate_holds(run: Run) -> None:
    asked = evidence.collect("data", run.layout, run.params, run.governance().policy, run.asked)
    assert {check.name: check.verdict for check in asked.checks if check.verdict != "passed"} == {}
    facts = {check.fact: check.at_least for check in asked.checks}
    assert "validate.failed_expectations" in facts
    assert facts["split.test_rows"] == 100 and (facts["split.train_rows"] or 500) < 260, "what the file can reach"


def test_all_rows_of_the_file_are_drawn(run: Run) -> None:
    from tasks.core.files import read_json

    split = read_json(run.layout.stage("split") / "result.json")
    assert split["train_rows"] + split["test_rows"] == 400 and split["test_rows"] >= 100


def test_the_next_file_of_the_kind_holds_what_the_first_one_did(run: Run) -> None:
    """Fewer rows of other lengths: what was drawn from one file is not so tight that the next one fails."""
    root = run.layout.state.parent
    rows = [{"letter": f"{row['letter']} Thank you.", "topic": row["topic"]} for row in letters()[::-1][:250]]
    (root.parent / FILE).write_text(as_csv(rows))
    request = RunRequest.of(run.request).model_copy(update={"run_id": "two"})
    check_request(Repository.open(root), request)
    again = create(root, "two", request.requested_by, params=request.params, governance=request.governance)
    layout: Layout = again.layout
    for stage in DATA:
        module = import_module(stage.module)
        module.run(config.load_sections(layout.params, module.Params), layout)
    asked = evidence.collect("data", layout, again.params, again.governance().policy, again.asked)
    failed = {check.fact for check in asked.checks if check.verdict != "passed"}
    assert failed == {"split.train_rows", "split.test_rows"}, "of 250 rows there are too few, as the risk officer asked"
