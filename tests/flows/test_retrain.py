"""Runs as flow runs of a Prefect server: who asks for them, and how they wait at a gate, wake up and end.

A flow run is executed in the test's process; in processes of their own, which are killed: test_watch.py.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Completed, Paused, Running

from flows import artifacts, lifecycle, suspended_runs
from flows.suspended_runs import SuspendedRuns
from tasks.core.graph import DATA_STAGE_NAMES
from tasks.runs import journal
from tasks.runs.request import RunRequest
from tasks.runs.run_lock import hold_run_lock
from tests.checkouts import Checkouts
from tests.in_process import adopt, hallmark, hallmark_json
from tests.prefect_server import Flows, Server
from tests.run_states import status
from tests.tiny_project import git, signed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def used(prefect_server: Server) -> Iterator[Server]:
    with prefect_server.used():
        yield prefect_server


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return checkouts.warm(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def flows(project: Path, used: Server) -> Iterator[Flows]:
    with used.client() as client:
        yield Flows(project, client)


@pytest.fixture(scope="module")
def waiting(flows: Flows) -> FlowRun:
    """A run at its data gate, on which nobody decides."""
    flow_run = flows.run("--as", "ml-engineer")
    assert flow_run.state and flow_run.state.is_paused()
    return flow_run


def test_a_run_that_nobody_named_wakes_up_as_itself_and_ends_where_policy_changed(project: Path, flows: Flows) -> None:
    before = set(journal.run_ids(project / ".hallmark"))
    flow_run = flows.execute(flows.ask())
    run = lifecycle.run_id_of_flow_run(flow_run)
    assert status(project, run)["status"] == "waiting"
    policy = project / "infra" / "governance" / "policy.yaml"
    text = policy.read_text()
    policy.write_text(text.replace("at_least: 10", "at_least: 11"))
    adopt(project)
    try:
        assert run in SuspendedRuns(project).resume_decided()
        woken = flows.execute(flow_run)
    finally:
        policy.write_text(text)
        adopt(project)
    ended = status(project, run)
    assert f"policy changed since run {run} was resolved" in ended["error"]
    assert ended["gates"]["data"]["state"] == "void" and (ended["status"], ended["exit_code"]) == ("failed", 1)
    assert set(journal.run_ids(project / ".hallmark")) - before == {run}, "it did not become another run"
    assert (woken.name, ended["requested_by"]) == (run, "scheduler")


def test_prefect_takes_no_run_in_the_name_of_a_person(project: Path, flows: Flows) -> None:
    """A schedule that pretends to be a person, and a person's request with other parameters than they signed."""
    asked, envelope = signed(project, RunRequest(run_id="tampered", requested_by="ml-engineer"))
    tampered = asked.model_dump(mode="json") | {"changes": {"data.seed": "7"}}
    for request, given, why in (
        ({"requested_by": "ml-engineer", "run_id": "pretended"}, None, "no request that they signed is with it"),
        (tampered, envelope, "is asked for with other changes than ml-engineer signed"),
    ):
        flows.execute(flows.ask({"request": request, "envelope": given}))
        ended = status(project, request["run_id"])
        assert why in ended["error"] and (ended["status"], ended["exit_code"]) == ("failed", 1)
        assert not ended["stages"] and not (project / ".hallmark" / "runs" / request["run_id"]).exists()


def test_every_page_of_flow_runs_is_looked_at(project: Path, flows: Flows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suspended_runs, "PAGE_SIZE", 2)
    made = {flows.ask(state=Paused()).id for _ in range(5)}
    found = [flow_run.id for flow_run in suspended_runs.flow_runs_in_state(project, flows.client, StateType.PAUSED)]
    for flow_run in made:
        flows.client.delete_flow_run(flow_run)
    assert made <= set(found) and len(found) == len(set(found))


def test_demo_identities_decide_at_once_on_what_is_not_committed(
    tmp_path: Path, checkouts: Checkouts, used: Server
) -> None:
    """A run to just behind the data gate. tests/e2e/test_thin_run.py has one that is promoted."""
    project = checkouts.warm(tmp_path / "demo")
    (project / "notes.txt").write_text("not committed")  # said on stderr; the document has stdout to itself
    with used.client() as client:
        flows = Flows(project, client)
        with flows.commanded():
            asked = hallmark_json(project, "run", "--as", "ml-engineer", "--demo-approvals", "--detach")
        with flows.no_further_than(*DATA_STAGE_NAMES):
            flows.execute(flows.look(UUID(asked["flow_run"])))
    ended = status(project, asked["run"])
    assert (ended["demo"], ended["error"], ended["gates"].keys()) == (True, "far enough", {"data"})
    assert (ended["gates"]["data"]["state"], ended["gates"]["data"]["decided_by"]) == ("passed", ["demo-data-owner"])
    assert git(project, "show", f"{ended['commit']}:notes.txt") == "not committed"


def test_a_decision_between_the_last_judgement_and_the_suspension_is_not_missed(
    project: Path, flows: Flows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watch looks before it, when it is there and the run has not parked yet, and once that has parked."""
    watch, waits = SuspendedRuns(project), artifacts.show_waiting
    watch.resume_decided()

    def decide(run, asked, wanted) -> None:  # type: ignore[no-untyped-def]
        reject = ("gates", "reject", run.id, "data", "--as", "data-owner", "--reason", "just in time")
        hallmark(project, *reject)
        assert watch.resume_decided() == []
        waits(run, asked, wanted)

    with monkeypatch.context() as late:
        late.setattr(artifacts, "show_waiting", decide)
        flow_run = flows.run("--as", "ml-engineer")
    assert flow_run.state and flow_run.state.is_paused()
    assert watch.resume_decided() == [flow_run.name]
    flows.execute(flow_run)
    ended = status(project, flow_run.name)
    assert ended["status"] == "failed" and "data-owner rejected: just in time" in ended["error"]


@pytest.mark.attack(rights="orchestrator", stopped="the gate is judged from the ledger, not from Prefect")
def test_resuming_a_parked_run_by_hand_opens_no_gate(project: Path, flows: Flows, waiting: FlowRun) -> None:
    """Whoever resumes the flow run past the console: the gate is judged from the ledger, and the run parks again."""
    flows.client.resume_flow_run(waiting.id)
    again = flows.execute(waiting)
    assert again.state and waiting.state and again.state.is_paused() and again.state.id != waiting.state.id
    known = status(project, waiting.name)
    assert known["gates"]["data"]["state"] == "waiting" and known["stages"].keys() == set(DATA_STAGE_NAMES)


@pytest.mark.attack(rights="orchestrator", stopped="the gate is judged from the ledger, not from Prefect's state")
@pytest.mark.parametrize("state", [Completed, Running], ids=["Completed", "Running"])
def test_a_state_set_by_hand_opens_no_gate(
    project: Path, flows: Flows, waiting: FlowRun, state: Callable[[], State]
) -> None:
    flows.client.set_flow_run_state(waiting.id, state(), force=True)
    found = flows.look(waiting.id).state
    assert found and found.type == state().type
    assert waiting.name not in SuspendedRuns(project).resume_decided(), "the watch looks at the ledger"
    flows.execute(waiting)  # by a runner that believes the state
    known = status(project, waiting.name)
    assert known["gates"]["data"]["state"] == "waiting" and known["stages"].keys() == set(DATA_STAGE_NAMES)
    assert not (project / ".hallmark" / "runs" / waiting.name / "gates" / "data.json").exists()
    assert waiting.name not in [line["run"] for line in hallmark_json(project, "releases", "list")]


def test_a_second_flow_run_of_a_run_in_progress_is_refused_and_changes_nothing(
    project: Path, flows: Flows, waiting: FlowRun
) -> None:
    run, before = waiting.name, hallmark_json(project, "runs", "show", waiting.name)
    with hold_run_lock(project / ".hallmark", run):
        second = flows.execute(flows.ask({"request": {"requested_by": "ml-engineer", "run_id": run}}))
    assert second.state and second.state.type == StateType.FAILED and second.state.message
    assert f"Refused: run {run} is being executed" in second.state.message
    assert hallmark_json(project, "runs", "show", run) == before
