"""The watch resumes a run whose process died, and stops where it dies every time."""

from datetime import timedelta
from pathlib import Path

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.states import Crashed, Running

from flows import crashed_runs
from flows.crashed_runs import MAX_RESUMPTIONS, record_deaths, resume_crashed
from tasks.ledger.ledger import open_ledger
from tasks.runs import run_entries
from tasks.runs.journal import read_journal, write_journal
from tests.checkouts import Checkouts
from tests.prefect_server import Flows, Server

pytestmark = pytest.mark.slow


def crash(flows: Flows, flow_run: FlowRun) -> None:
    for state in (Running(), Crashed()):
        flows.client.set_flow_run_state(flow_run.id, state, force=True)


def test_a_run_that_dies_every_time_is_left_to_people(
    tmp_path: Path, checkouts: Checkouts, prefect_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crashed_runs, "MIN_AGE", timedelta())
    project = checkouts.warm(tmp_path / "project")
    with prefect_server.used(), prefect_server.client() as client:
        flows = Flows(project, client)
        flow_run = flows.run("--as", "ml-engineer")
        known = read_journal(project / ".hallmark", flow_run.name)
        assert known is not None
        write_journal(project / ".hallmark", known.model_copy(update={"status": "running"}))  # as during a stage
        for _ in range(MAX_RESUMPTIONS):
            crash(flows, flow_run)
            assert resume_crashed(project) == [flow_run.name]
        crash(flows, flow_run)
        assert resume_crashed(project) == []
    ledger = open_ledger(project / ".hallmark")
    entries = ledger.entries(run_entries.INTERRUPTED_KIND, flow_run.name)
    assert [entry.body["goes_on"] for entry in entries] == [True] * MAX_RESUMPTIONS + [False]
    record_deaths(project, [flow_run.name])
    last = ledger.entries(run_entries.INTERRUPTED_KIND, flow_run.name)[-1]
    assert last.body == {"crashes": len(entries) + 1, "goes_on": True}, "its runner died, and was started again"
