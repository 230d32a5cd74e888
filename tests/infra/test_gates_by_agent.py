"""`hallmark gates approve` in a process of its own, signed by OpenSSH's agent, which asks its owner first."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.gates.signed_decision import ENTRY_KIND, read_decision
from tasks.ledger.ledger import open_ledger
from tasks.policy import governance
from tests.asking_agent import AskingAgent, needs_ssh_agent, started
from tests.checkouts import Checkouts
from tests.infra.test_gates import APPROVE, ask, bring_keys

pytestmark = needs_ssh_agent
WHO = "risk-officer"


@pytest.fixture
def project(tmp_path: Path, checkouts: Checkouts) -> Path:
    """With a gate that waits, outside environment local."""
    folder = checkouts.ready(tmp_path / "project")
    bring_keys(folder)
    ask(folder)
    return folder


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[AskingAgent]:
    with started(tmp_path / "agent") as agent:
        yield agent


def approving(project: Path, agent: AskingAgent) -> "subprocess.Popen[str]":
    """The command, once the agent has asked whether to sign. It has no terminal, and there is no key's file."""
    agent.take(project / ".hallmark" / "keys" / WHO)
    command = [Path(sys.executable).with_name("hallmark"), *APPROVE]
    process = subprocess.Popen(
        command, cwd=project, env=os.environ | agent.environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert "Allow use of key" in agent.asked()
    return process


def test_the_owner_agrees_and_others_have_written_meanwhile(project: Path, agent: AskingAgent) -> None:
    process = approving(project, agent)
    ledger = open_ledger(project / ".hallmark")
    between = ledger.append("a.b", "another", {})
    assert process.poll() is None
    agent.answer("yes")
    told, _ = process.communicate()
    assert process.returncode == 0 and f"recorded as entry {between.seq + 1} of the ledger: {WHO}, approve" in told
    (entry,) = ledger.entries(ENTRY_KIND)
    governed = governance.load_governance(project / "infra" / "governance", project / ".hallmark")
    assert read_decision(entry, governed).person.id == WHO


def test_the_owner_refuses_and_nothing_is_recorded(project: Path, agent: AskingAgent) -> None:
    process = approving(project, agent)
    agent.answer("no")
    told, _ = process.communicate()
    assert process.returncode == 1 and "its owner said no" in told and "Traceback" not in told
    assert not open_ledger(project / ".hallmark").entries(ENTRY_KIND)
