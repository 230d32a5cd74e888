"""Two machines of a work pool, on a real Prefect server: one is killed in a run, and the other takes it up."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from flows import deployed
from infra.prefect import access, pools, server
from tasks.gates import cases, signed_request
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.occasions.book import TAKEN
from tasks.runs import installation, records
from tasks.runs.taking_up import TAKEN_UP
from tests.checkouts import Checkouts
from tests.governed.postgres import cluster
from tests.prefect_client import prefect
from tests.run_states import wait_for
from tests.tiny_project import commit, dvc_remote, git, hallmark, hallmark_json

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

FILE = """\
pools:
  small: {concurrency: 2}
triggers:
  upstream: {on: event, pool: small}
"""


@pytest.fixture
def machines(tmp_path: Path, checkouts: Checkouts, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """Two clones with the same keys, ledger and remotes; the first has the Prefect server, the second is behind."""
    with cluster() as database:
        monkeypatch.setenv("HALLMARK_LEDGER_URL", database.url)
        monkeypatch.setenv("HALLMARK_GIT_REMOTE", str(tmp_path / "git"))
        monkeypatch.setenv("HALLMARK_PREFECT_PORT", "0")
        first, second = checkouts.ready(tmp_path / "first"), tmp_path / "second"
        for file in (first / ".hallmark").glob("ledger.db*"):
            file.unlink()
        hallmark(first, "init")
        git(tmp_path, "clone", "--quiet", str(first), str(second))
        shutil.copytree(first / ".hallmark" / "keys", second / ".hallmark" / "keys")
        (first / "notes.txt").write_text("later")
        commit(first, "A commit that the second machine has not")
        git(tmp_path, "init", "--quiet", "--bare", "git")
        git(first, "push", "--quiet", str(tmp_path / "git"), "main")
        for folder in (first, second):
            dvc_remote(folder, tmp_path / "store")
        yield first, second
        hallmark(first, "down")


@contextlib.contextmanager
def working(root: Path, log: Path, **more: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`hallmark work small` in the foreground; it and its runs are killed in the end."""
    command = [Path(sys.executable).with_name("hallmark"), "work", "small"]
    with log.open("w") as file:
        process = subprocess.Popen(command, cwd=root, env=os.environ | more, stdout=file, stderr=file)
        try:
            yield process
        finally:
            kill(process)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """As a machine goes: the worker, its runs and their stages at once."""
    if process.poll() is None:
        family = psutil.Process(process.pid)
        for each in (*family.children(recursive=True), family):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait()


def until(done: Callable[[], object], *logs: Path, seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "\n".join(log.read_text()[-3000:] for log in logs)
        time.sleep(0.1)


def hostile(first: Path, ledger: Ledger, evil: Path) -> None:
    """Whoever reaches Prefect's API has the deployment and the pool name other code and commands."""
    with prefect(first) as client:
        script = {"prefect.deployments.steps.run_shell_script": {"script": f"touch {evil}"}}
        client.create_deployment(
            flow_id=client.create_flow_from_name(deployed.FLOW), name=deployed.in_pool(ledger, "small"),
            work_pool_name=deployed.pool(ledger, "small"), pull_steps=[script], entrypoint=f"{evil}.py:evil",
            job_variables={"command": f"touch {evil}", "env": {"PYTHONPATH": str(evil.parent)}},
        )  # fmt: skip
        template = {
            "job_configuration": {"command": f"touch {evil}"},
            "variables": {"type": "object", "properties": {}},
        }
        pools._update(client, deployed.pool(ledger, "small"), base_job_template=template)


@pytest.mark.attack(rights="orchestrator", stopped="a worker executes what is installed, whatever Prefect says of code")
def test_a_machine_of_a_pool_is_killed_and_another_takes_its_run_up(
    machines: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = machines
    ledger, evil = open_ledger(first / ".hallmark"), tmp_path / "EVIL"
    (first / "pools.yaml").write_text(FILE)
    told = hallmark(first, "deploy", "pools.yaml", "--as", "ml-engineer", "--yes")
    made = f"pool small is made in Prefect: hallmark-{deployed.shared(ledger)}-small"
    assert "pool small is new: process, 2 at once" in told and made in told
    again = hallmark(first, "deploy", "pools.yaml", "--as", "ml-engineer")
    assert "nothing changes" in again and "in Prefect" not in again, "the second time changes nothing"
    up = server.find(first)
    assert up is not None
    there = {"PREFECT_API_URL": up.api, "PREFECT_API_AUTH_STRING": access.secret(first)}

    logs = tmp_path / "second.log", first / ".hallmark" / "prefect" / "watch.log"
    with working(second, logs[0], **there) as one:
        until(lambda: "started" in logs[0].read_text(), *logs)
        hostile(first, ledger, evil)
        hallmark(first, "trigger", "upstream", "--reason", "the export is there", "--as", "ml-engineer")
        (taken,) = ledger.entries(TAKEN)
        run = str(taken.body["run"])
        until(lambda: ledger.entries(records.RESOLVED, run), *logs)
        kill(one)
    assert signed_request.named_governance(ledger, run) is None and not evil.exists()
    killed = time.monotonic()
    with working(first, tmp_path / "first.log"):
        until(lambda: ledger.entries(TAKEN_UP, run), tmp_path / "first.log", *logs)
        print(f"taken up {time.monotonic() - killed:.0f} s after the machine was killed")
        until(lambda: ledger.entries(cases.ASKED, run), tmp_path / "first.log", *logs)
        wait_for(first, run, "waiting", "failed", seconds=600)
        hallmark(first, "gates", "reject", run, "data", "--as", "data-owner", "--reason", "only a drill")
        ended = wait_for(first, run, "failed", seconds=600)
    assert "data-owner rejected: only a drill" in ended["error"], "whoever watches woke it up"
    (taken_up,) = ledger.entries(TAKEN_UP, run)
    assert taken_up.body["installation"] == installation.of(first)
    with prefect(first) as client:
        (flow_run,) = client.read_flow_runs()
        states = [state.message for state in client.read_flow_run_states(flow_run.id)]
    assert flow_run.name == run and "its machine was gone" in states

    commit(first, "The pools")
    asked = hallmark_json(first, "run", "--as", "ml-engineer", "--pool", "small")
    with prefect(first) as client:
        waiting = client.read_flow_run(UUID(asked["flow_run"]))
    assert waiting.work_pool_name == deployed.pool(ledger, "small") and waiting.state and waiting.state.is_scheduled()
    told = hallmark(first, "run", "--as", "ml-engineer", "--pool", "large", code=2)
    assert "there is no work pool large: declared are small" in told
