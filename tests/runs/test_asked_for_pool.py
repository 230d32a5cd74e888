"""A request for a run that a machine of a work pool executes: it needs no sandbox where it is asked for."""

from pathlib import Path

import pytest

from tasks.core.errors import Unavailable
from tasks.ledger.ledger import open_ledger
from tasks.runs.git.repository import Repository
from tasks.runs.request import new_run_id
from tasks.runs.run import check_request, installed_governance
from tasks.scheduling import requests, trigger_events
from tasks.scheduling.deployments_file import EventReported
from tasks.supervise import sandbox
from tests.checkouts import Checkouts


@pytest.fixture
def project(tmp_path: Path, checkouts: Checkouts, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout on a machine without a sandbox, whose environment asks for one."""
    monkeypatch.setattr(sandbox, "unavailable_reason", lambda: "bubblewrap is not installed")
    monkeypatch.setattr(sandbox, "LOCAL_ENVIRONMENT", "another")
    return checkouts.ready(tmp_path / "project")


@pytest.mark.parametrize("pool", [None, "cluster"])
def test_the_watch_asks_without_a_sandbox_of_its_own(project: Path, pool: str | None) -> None:
    """The pod of a run has one, and that of the watch has not."""
    occasion = trigger_events.make_occasion("upstream", EventReported(on="event", pool=pool), "event/1", "it is there")
    ledger, governed = open_ledger(project / ".hallmark"), installed_governance(project, None)
    ask = requests.request_signer(Repository.open(project), ledger, governed, occasion)
    if pool is None:
        with pytest.raises(Unavailable, match="stages run in a sandbox in environment local, and bubblewrap"):
            ask(new_run_id())
        return
    request = ask(new_run_id()).request
    with pytest.raises(Unavailable, match="stages run in a sandbox in environment local, and bubblewrap"):
        check_request(Repository.open(project), request)  # as the machine does that executes the run
