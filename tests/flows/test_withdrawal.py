"""An owner withdraws a source while a run has it: before training, while it is parked, and before anything starts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.gates import pass_gate
from flows.stages import run_stages
from flows.suspended_runs import SuspendedRuns
from tasks.core.errors import Refused
from tasks.runs.run import Run
from tests.checkouts import Checkouts
from tests.in_process import hallmark, hallmark_json
from tests.prefect_server import Flows, Server
from tests.run_states import status
from tests.tiny_project import create

OWNER = ("--as", "data-owner")
WITHDRAW = ("data", "withdraw", "messages", "--reason", "consent ended", *OWNER)
RESTORE = ("data", "withdraw", "messages", "--restore", "--reason", "a mistake", *OWNER)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return checkouts.warm(tmp_path_factory.mktemp("project"))


@pytest.fixture
def flows(project: Path, prefect_server: Server) -> Iterator[Flows]:
    with prefect_server.used(), prefect_server.client() as client:
        yield Flows(project, client)


@pytest.fixture
def run(project: Path) -> Run:
    return create(project, "20260101-000000-abcd")


def test_between_the_gate_and_training_the_next_stage_does_not_start(project: Path, run: Run) -> None:
    hallmark(project, *WITHDRAW)
    for step in (lambda: run_stages(run, "base_model", "tokenise", "train"), lambda: pass_gate(run, "data")):
        with pytest.raises(Refused, match=f"run {run.id} stops: source messages was withdrawn by data-owner on"):
            step()
    assert not run.layout.artefacts("base_model").exists() and not run.layout.evidence_path("data").exists()
    told = hallmark(project, *RESTORE)
    assert "source messages is given again" in told
    assert run.withdrawal_reason() is None


def test_who_does_not_own_it_is_told(project: Path) -> None:
    told = hallmark(project, *WITHDRAW[:-1], "risk-officer", code=1)
    assert "risk-officer does not own source messages; only data-owner may" in told
    told = hallmark(project, "data", "withdraw", "letters", *WITHDRAW[3:], code=2)
    assert "'letters' is not in sources.yaml, which has messages, and no run here read it" in told


def test_a_run_that_names_it_is_refused_before_anything_starts(project: Path) -> None:
    hallmark(project, *WITHDRAW)
    for command in (("run", "--as", "ml-engineer"), ("resolve",)):
        told = hallmark(project, *command, code=1)
        assert "source messages was withdrawn by data-owner" in told and "(consent ended)" in told
        assert "Traceback" not in told
    advice = next(line for line in told.split("hallmark ") if line.startswith("data withdraw"))
    hallmark(project, *advice.split())
    assert not (project / ".hallmark" / "prefect" / "up.json").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_parked_run_ends_with_the_reason_and_goes_on_when_it_is_given_again(project: Path, flows: Flows) -> None:
    parked = flows.run("--as", "ml-engineer")
    run = parked.name
    hallmark(project, *WITHDRAW)
    assert SuspendedRuns(project).resume_decided() == [run]
    flows.execute(parked)
    ended = status(project, run)
    assert ended["status"] == "failed" and "train" not in ended["stages"]
    assert "source messages was withdrawn by data-owner" in ended["error"]
    (row,) = hallmark_json(project, "data", "list")
    assert row["withdrawn"].endswith("(consent ended)") and (row["runs"], row["releases"]) == ([run], [])
    assert f"in runs: {run}; in releases: none" in hallmark(project, "data", "list")

    told = hallmark(project, "gates", "approve", run, "data", "--reason", "seen", *OWNER)
    assert "the run goes no further, whatever is decided here: source messages was withdrawn by data-owner" in told
    flows.run("--resume", run)
    ended = status(project, run)
    assert (ended["status"], ended["exit_code"]) == ("failed", 1)
    assert "source messages was withdrawn by data-owner" in ended["error"]
    hallmark(project, *RESTORE)
    parked = flows.run("--resume", run)
    known = status(project, run)
    assert (known["status"], known["gates"]["evaluation"]["state"]) == ("waiting", "waiting"), known["error"]

    hallmark(project, *WITHDRAW)
    assert SuspendedRuns(project).resume_decided() == [run]
    flows.execute(parked)
    ended = status(project, run)
    assert ended["status"] == "failed" and "source messages was withdrawn" in ended["error"]
    assert hallmark_json(project, "releases", "list") == []
