"""Outside environment local: an installed wheel, a root key elsewhere, and all adopted by those who answer for it."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
import pytest

from tasks.runs.run_lock import is_run_executing
from tests import costs, patience, wheels
from tests.checkouts import Checkouts
from tests.forking import Forking, importing
from tests.governed.house import keyed
from tests.prefect_client import artifacts
from tests.processes import title
from tests.run_states import wait_for, wait_until
from tests.tiny_project import PEOPLE, Done, checked, commit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

LOOKED = ("--reason", "looked at it")


COMMAND = "from hallmark.infra.cli import main\nmain()\n"
MODULES = ("cli", "cli.code", "cli.declaration_adoption", "cli.doctor", "cli.policy")
COMMANDS = tuple(f"hallmark.infra.{module}" for module in MODULES)


class Production:
    """A checkout of environment production, and the Hallmark that is installed for it. Commands that start processes
    are started as they are installed, the others from a process of the installation that has imported them."""

    def __init__(self, project: Path, python: Path, processes: Forking) -> None:
        self.project, self._python, self._processes = project, python, processes
        own = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", costs.SESSION) if name in os.environ}
        self._variables = own | {"HALLMARK_PREFECT_PORT": "0"}  # another test's server may have the usual one

    def __call__(self, *words: str, code: int = 0) -> str:
        """`hallmark WORDS`; what it prints, both streams."""
        done = self._run(words)
        return checked(done, words, code).stdout + done.stderr

    def read(self, *words: str) -> Any:
        return json.loads(checked(self._run((*words, "--json")), words, 0).stdout)

    def _run(self, words: tuple[str, ...]) -> Done:
        if words[0] == "run":
            command = [self._python.with_name("hallmark"), *words]
            given = self._variables | {costs.CURRENT: os.environ[costs.CURRENT]}  # whom its servers are charged to
            return subprocess.run(command, cwd=self.project, env=given, capture_output=True, text=True)
        with patch.dict(os.environ, self._variables, clear=True):
            return self._processes.run(COMMAND, *words, cwd=self.project)


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts, shared: Path) -> Iterator[Production]:
    project = checkouts.warm(tmp_path_factory.mktemp("production") / "project", ledger=False)
    governance = project / "infra" / "governance"
    policy = (governance / "policy.yaml").read_text()
    (governance / "policy.yaml").write_text(policy.replace("environment: local", "environment: production"))
    (governance / "people.yaml").write_text(keyed(PEOPLE, project / ".hallmark"))
    commit(project, "Production")
    python = wheels.environment(shared)
    with importing(*COMMANDS, python=python) as processes:
        here = Production(project, python, processes)
        yield here
        here("down")


def test_a_run_goes_to_production_once_everybody_has_signed(production: Production) -> None:
    hallmark = production
    root = hallmark.project.with_name("root")
    for name in ("root", "root.pub"):
        (hallmark.project / ".hallmark" / "keys" / name).rename(root.with_name(name))
    shutil.copy(root.with_name("root.pub"), hallmark.project / ".hallmark" / "keys")
    told = hallmark("policy", "adopt", "infra/governance", "--root-key", str(root))
    assert "in force" in told
    run = ("run", "--as", "ml-engineer")
    assert "source/messages was adopted by nobody" in (told := hallmark(*run, code=1)), told
    assert "card/tiny was adopted by nobody" in told
    assert "source/messages was adopted by nobody" in hallmark("doctor", code=1)
    hallmark("data", "adopt", "--as", "data-owner", *LOOKED)
    hallmark("card", "adopt", "--as", "product-owner", *LOOKED)
    assert "is no version that was signed off" in hallmark(*run, code=1)
    trial = hallmark(*run, "--set", "use_case.risk_tier=experiment", code=1)
    assert "is no version that was signed off" in trial, "its source is not public"
    hallmark("code", "adopt", "--as", "risk-officer", *LOOKED)
    taken_back(hallmark)
    released(hallmark)


def taken_back(hallmark: Production) -> None:
    """The version is taken back while a run of it waits: it goes no further."""
    parked = hallmark.read("run", "--as", "ml-engineer")
    assert parked["status"] == "waiting", parked["error"]
    assert "train" not in parked["stages"] and [row["gate"] for row in hallmark.read("gates", "list")] == ["data"]
    patience.wait_until(lambda: not executed(hallmark.project, parked["run"]), "a parked run to hold no process")
    hallmark("code", "withdraw", "HEAD", "--as", "risk-officer", "--reason", "reads past its input")
    hallmark("gates", "approve", parked["run"], "data", "--as", "data-owner", *LOOKED)
    ended = wait_for(hallmark.project, parked["run"], "failed", "promoted")
    assert "risk-officer took it back" in ended["error"] and "(reads past its input)" in ended["error"]
    hallmark("code", "adopt", "--as", "risk-officer", *LOOKED)


def released(hallmark: Production) -> None:
    run = hallmark.read("run", "--as", "scheduler")["run"]
    for gate, person in (("evaluation", "product-owner"), ("release", "risk-officer")):
        wait_until(
            hallmark.project, run, lambda known, gate=gate: known["gates"].get(gate, {}).get("state") == "waiting"
        )
        hallmark("gates", "approve", run, gate, "--as", person, *LOOKED)
    ended = wait_for(hallmark.project, run, "promoted", "failed")
    assert ended["status"] == "promoted", ended["error"]
    assert ended["gates"]["data"]["decided_by"] == ["data-owner"], "who let the same data pass for the run before"
    shown = [str(each.data) for each in artifacts(hallmark.project, ended["flow_run"])]
    for gate in ("evaluation", "release"):
        assert any(f"Run `{run}` waits at its **{gate} gate**" in text for text in shown), shown
    fingerprint = hallmark("identity", "root").split()[-1]
    told = hallmark("releases", "verify", str(hallmark.project / ".hallmark/releases/tiny-1"), "--root", fingerprint)
    assert "card/tiny, source/messages: as adopted by data-owner, product-owner, and every gate looked" in told
    assert "was signed off by risk-officer" in told and "scheduler asked for the run and signed that" in told
    assert "every stage ran in a sandbox" in told


def executed(project: Path, run: str) -> bool:
    """Whether a process holds the run, or is a stage in its worktree."""
    return is_run_executing(project / ".hallmark", run) or any(
        f"runs/{run}" in title(each) for each in psutil.process_iter()
    )
