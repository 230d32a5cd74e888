"""Two machines of a work pool, on a real Prefect server: one is killed in a run, and the other takes it up."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient

from flows import deployment_names, lifecycle, pool_rescheduling
from flows.suspended_runs import SuspendedRuns
from infra.prefect import execute, pools
from tasks.gates import cases, signed_request
from tasks.ledger.leases import LEASE_DURATION, open_leases
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.runs import installation, run_entries
from tasks.runs.takeover import TAKEOVER_KIND
from tasks.scheduling.occasion_log import TAKEN
from tests.checkouts import Checkouts
from tests.governed.postgres import new_database
from tests.in_process import hallmark, hallmark_json
from tests.ledger.test_leases import shift
from tests.patience import wait_until
from tests.prefect_server import Flows, Server
from tests.run_states import status
from tests.tiny_project import commit, dvc_remote, git

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

FILE = """\
pools:
  small: {concurrency: 2}
triggers:
  upstream: {on: event, pool: small}
"""
GIT = """#!/bin/sh
case "$*" in *"Ask at the data gate"*)
  touch "{parking}"
  exec sleep 3600
esac
exec "{git}" "$@"
"""
"""A run commits what it has before it parks; here it does not come further than that."""


@pytest.fixture
def machines(
    tmp_path: Path, checkouts: Checkouts, postgres: str, prefect_server: Server, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Flows, Path]]:
    """Two clones with the same keys, ledger and remotes, of which the second is behind. What stages make of the rows
    both know."""
    with prefect_server.used(), prefect_server.client() as client:
        monkeypatch.setenv("HALLMARK_LEDGER_URL", new_database(postgres))
        monkeypatch.setenv("HALLMARK_GIT_REMOTE", str(tmp_path / "git"))
        first, second = checkouts.warm(tmp_path / "first", ledger=False), tmp_path / "second"
        hallmark(first, "init")
        git(tmp_path, "clone", "--quiet", str(first), str(second))
        for name in ("keys", "cache", "vault", "records"):
            shutil.copytree(first / ".hallmark" / name, second / ".hallmark" / name)
        (first / "notes.txt").write_text("later")
        commit(first, "A commit that the second machine has not")
        git(tmp_path, "init", "--quiet", "--bare", "git")
        git(first, "push", "--quiet", str(tmp_path / "git"), "main")
        for folder in (first, second):
            dvc_remote(folder, tmp_path / "store")
        yield Flows(first, client), second


def git_that_waits(folder: Path) -> Path:
    """A folder with a git that does not return where a run is about to park; the file `parking` there says so."""
    folder.mkdir()
    script = folder / "git"
    script.write_text(GIT.format(parking=folder / "parking", git=shutil.which("git")))
    script.chmod(0o755)
    return folder


@contextlib.contextmanager
def working(root: Path, log: Path, path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run `hallmark work small` in the foreground; kill it and its runs in the end, as if the machine were lost."""
    command = [Path(sys.executable).with_name("hallmark"), "work", "small"]
    environment = os.environ | {"PATH": f"{path}{os.pathsep}{os.environ['PATH']}"}
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=root, env=environment, stdout=file, stderr=file)
        try:
            yield process
        finally:
            family = psutil.Process(process.pid)
            for each in (*family.children(recursive=True), family):
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            process.wait()


def hostile(client: SyncPrefectClient, ledger: Ledger, evil: Path) -> None:
    """Whoever reaches Prefect's API has the deployment and the pool name other code and commands."""
    script = {"prefect.deployments.steps.run_shell_script": {"script": f"touch {evil}"}}
    client.create_deployment(
        flow_id=client.create_flow_from_name(deployment_names.FLOW_NAME),
        name=deployment_names.pool_deployment_name(ledger, "small"),
        work_pool_name=deployment_names.work_pool_name(ledger, "small"),
        pull_steps=[script], entrypoint=f"{evil}.py:evil",
        job_variables={"command": f"touch {evil}", "env": {"PYTHONPATH": str(evil.parent)}},
    )  # fmt: skip
    template = {
        "job_configuration": {"command": f"touch {evil}"},
        "variables": {"type": "object", "properties": {}},
    }
    pools._update(client, deployment_names.work_pool_name(ledger, "small"), base_job_template=template)


@pytest.mark.attack(rights="orchestrator", stopped="a worker executes what is installed, whatever Prefect says of code")
def test_a_machine_of_a_pool_is_killed_and_another_takes_its_run_up(
    machines: tuple[Flows, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flows, second = machines
    first, client = flows.project, flows.client
    ledger, evil = open_ledger(first / ".hallmark"), tmp_path / "EVIL"
    (first / "pools.yaml").write_text(FILE)
    with flows.commanded():
        told = hallmark(first, "deploy", "pools.yaml", "--as", "ml-engineer", "--yes")
        again = hallmark(first, "deploy", "pools.yaml", "--as", "ml-engineer")
    made = f"pool small is made in Prefect: hallmark-{deployment_names.ledger_id(ledger)}-small"
    assert "pool small is new: process, 2 at once" in told and made in told
    assert "nothing changes" in again and "in Prefect" not in again, "the second time changes nothing"

    log, path = tmp_path / "second.log", git_that_waits(tmp_path / "bin")
    with working(second, log, path):
        hostile(client, ledger, evil)
        with flows.commanded():
            hallmark(first, "trigger", "upstream", "--reason", "the export is there", "--as", "ml-engineer")
        (taken,) = ledger.entries(TAKEN)
        run = str(taken.body["run"])
        wait_until((path / "parking").exists, "the second machine to be in the run", seconds=120, saw=log.read_text)
    assert ledger.entries(run_entries.RESOLVED_KIND, run) and not ledger.entries(TAKEOVER_KIND, run)
    assert signed_request.requested_governance(ledger, run) is None and not evil.exists()

    assert pool_rescheduling.reschedule_abandoned(first) == [], "it may be out of reach for a moment"
    shift(open_leases(first / ".hallmark"), LEASE_DURATION, f"run/{run}")  # in place of waiting
    assert pool_rescheduling.reschedule_abandoned(first) == [run]
    (flow_run,) = flows.all(deployment_names.pool_deployment_name(ledger, "small"))
    assert flow_run.name == run and flow_run.state and flow_run.state.message == pool_rescheduling.GONE_MESSAGE
    monkeypatch.setenv("HALLMARK_ROOT", str(first))
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", str(flow_run.id))
    monkeypatch.setenv(lifecycle.POOL_VARIABLE, "1")
    execute_here()
    (taken_up,) = ledger.entries(TAKEOVER_KIND, run)
    assert taken_up.body["installation"] == installation.installation_id(first)
    assert status(first, run)["status"] == "waiting" and ledger.entries(cases.ASKED, run)
    hallmark(first, "gates", "reject", run, "data", "--as", "data-owner", "--reason", "only a drill")
    assert SuspendedRuns(first, lambda: pool_rescheduling.pool_deployments(first)).resume_decided() == [run], (
        "whoever watches wakes it up"
    )
    execute_here()
    ended = status(first, run)
    assert ended["status"] == "failed" and "data-owner rejected: only a drill" in ended["error"]

    commit(first, "The pools")
    with flows.commanded():
        asked = hallmark_json(first, "run", "--as", "ml-engineer", "--pool", "small")
    waiting = flows.look(UUID(asked["flow_run"]))
    assert (
        waiting.work_pool_name == deployment_names.work_pool_name(ledger, "small")
        and waiting.state
        and waiting.state.is_scheduled()
    )
    told = hallmark(first, "run", "--as", "ml-engineer", "--pool", "large", code=2)
    assert "there is no work pool large: declared are small" in told


def execute_here() -> None:
    """What a worker starts for a flow run, in this process."""
    with contextlib.suppress(SystemExit):
        execute.main()
