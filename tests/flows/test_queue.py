"""Runs that wait in Prefect's queue have their ids in `hallmark status`."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.prefect import queue, server
from infra.prefect.server import RunningPrefect
from infra.processes import Process
from tasks.runs import journal
from tasks.runs.journal import Journal
from tests.checkouts import Checkouts
from tests.in_process import hallmark, hallmark_json
from tests.prefect_server import Flows, Server


@pytest.fixture
def flows(
    tmp_path: Path, checkouts: Checkouts, prefect_server: Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Flows]:
    with prefect_server.used(), prefect_server.client() as client:
        up = RunningPrefect(api=prefect_server.api, server=None, runner=Process(pid=1, started=0))
        monkeypatch.setattr(server, "find", lambda _: up)
        yield Flows(checkouts.ready(tmp_path / "project"), client)


def test_a_requested_run_is_in_the_list_until_it_has_begun(flows: Flows) -> None:
    project = flows.project
    told, _ = flows.asked("--as", "ml-engineer", "--reason", "why")
    (run,) = re.findall(r"^run (\S+), asked for by ml-engineer", told, re.MULTILINE)
    for parameters in ({}, {"request": {"run_id": "../escape"}}, {"request": "text"}):
        flows.ask(parameters)  # as whoever reaches Prefect can
    assert queue.read_queue(project) == [(run, "ml-engineer", "why", None)]
    (line,) = (line.split() for line in hallmark(project, "status").splitlines() if line.startswith(run))
    assert line[1:] == ["requested,", "in", "the", "queue", "ml-engineer", "0"]
    (document,) = hallmark_json(project, "status")
    assert (document["run"], document["status"], document["pool"]) == (run, "requested", None)
    assert {*Journal.model_fields} < document.keys()

    journal.write_journal(project / ".hallmark", Journal(run=run, requested_by="ml-engineer", status="failed"))
    assert queue.read_queue(project) == []
    assert [each["status"] for each in hallmark_json(project, "status")] == ["failed"]


def test_without_an_answer_the_other_runs_are_shown(flows: Flows, monkeypatch: pytest.MonkeyPatch) -> None:
    project = flows.project
    journal.write_journal(project / ".hallmark", Journal(run="one", requested_by="ml-engineer", status="failed"))
    away = RunningPrefect(api="http://127.0.0.1:9/api", server=None, runner=Process(pid=1, started=0))
    monkeypatch.setattr(server, "find", lambda _: away)
    told = hallmark(project, "status")
    assert "runs in the queue are not known" in told and "\none " in told
    assert [each["run"] for each in hallmark_json(project, "status")] == ["one"]
