"""`hallmark gates`: the evidence before the decision, and a run that asks on another machine."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tasks.core.layout import Layout
from tasks.core.params.params import load_params
from tasks.gates import cases, evidence, signed_request
from tasks.gates.evidence import Evidence
from tasks.gates.signed_decision import ENTRY_KIND, read_decision
from tasks.ledger.ledger import open_ledger
from tasks.policy import governance
from tasks.runs.request import RunRequest
from tests.checkouts import Checkouts
from tests.editing import edit
from tests.governed.house import keyed, put_result
from tests.in_process import adopt_anew, hallmark, hallmark_json
from tests.patience import patience
from tests.tiny_project import signed

RUN = "20260101-000000-abcd"
APPROVE = ("gates", "approve", RUN, "release", "--as", "risk-officer", "--reason", "fine")
WIDTH = 80


@pytest.fixture
def project(tmp_path: Path, checkouts: Checkouts) -> Path:
    return checkouts.ready(tmp_path / "project")


def ask(project: Path, reason: str | None = None, **facts: float) -> Evidence:
    """The release gate of a run, as the machine puts it that has the run. The run was asked for with a reason."""
    elsewhere = Layout(project.parent / "elsewhere")
    put_result(elsewhere.artefacts("package"), **facts)
    state = project / ".hallmark"
    governed, ledger = governance.load_governance(project / "infra" / "governance", state), open_ledger(state)
    request = RunRequest(run_id=RUN, requested_by="ml-engineer", reason=reason)
    known = signed_request.request_for_run(ledger, governed, RUN)
    known = known or signed_request.record_request(ledger, governed, signed(project, request)[1])
    asked = evidence.collect_evidence(
        "release", elsewhere, load_params(project / "params.yaml"), governed.policy, known
    )
    return cases.open_gate(ledger, asked)


def test_a_gate_that_there_is_not_is_told_with_those_that_there_are(project: Path) -> None:
    told = hallmark(project, "gates", "show", RUN, "price", code=2)
    assert "there is no gate 'price'; expected one of data, evaluation, release" in " ".join(told.split())
    told = hallmark(project, "gates", "show", RUN, "data", code=2)
    assert "has asked nothing at the gate data" in " ".join(told.split())


def bring_keys(project: Path) -> None:
    """Out of environment local: people.yaml has everybody's public key, the same on every machine."""
    people = project / "infra" / "governance" / "people.yaml"
    people.write_text(keyed(people.read_text(), project / ".hallmark"))
    edit(people.with_name("policy.yaml"), "environment: local", "environment: prod")
    adopt_anew(project)


def test_whoever_decides_sees_why_the_run_was_asked_for(project: Path) -> None:
    bring_keys(project)
    why = "trigger upstream: the export is there"
    ask(project, reason=why)
    told = " ".join(hallmark(project, "gates", "show", RUN, "release").split())
    assert f"asked by ml-engineer: {why}" in told


def listed(project: Path) -> dict:
    (row,) = hallmark_json(project, "gates", "list")
    return row


def test_a_gate_of_a_run_elsewhere_is_decided_where_the_same_policy_is_installed(project: Path) -> None:
    ask(project)
    assert listed(project)["state"] == "elsewhere"
    (entry,) = open_ledger(project / ".hallmark").entries(cases.ASKED)
    shown = hallmark_json(project, "ledger", "show", str(entry.seq))
    assert isinstance(shown, dict) and shown["attached"]["run"] == shown["subject"] == RUN
    assert f"run {RUN} is not on this machine" in hallmark(project, *APPROVE, code=1)
    bring_keys(project)
    (why,) = listed(project)["waiting_for"]
    assert listed(project)["state"] == "elsewhere" and "its policy is another than here" in why
    ask(project)
    assert listed(project)["state"] == "waiting"
    told = hallmark(project, *APPROVE)
    assert "the gate is passed" in told and "goes on on the machine where it is" in told
    assert "risk-officer" in hallmark(project, "gates", "show", RUN, "release")


class Terminal:
    """`hallmark` at a terminal of WIDTH columns."""

    def __init__(self, project: Path, *args: str) -> None:
        self.screen, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, WIDTH, 0, 0))
        command = [Path(sys.executable).with_name("hallmark"), *args]
        env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "TERM")}
        self.process = subprocess.Popen(
            command, cwd=project, stdin=end, stdout=end, stderr=end, env=env | {"TERM": "xterm"}
        )
        os.close(end)
        self.text = ""

    def until(self, wanted: str) -> str:
        """What has been printed when `wanted` has been, or at the end."""
        while wanted not in self.text:
            try:
                self.text += os.read(self.screen, 4096).decode()
            except OSError:  # Linux says so of a terminal whose last process has ended
                break
        return re.sub("\x1b\\[[0-9;]*m", "", self.text)

    def answer(self, text: str) -> tuple[int, str]:
        """Exit code, and all that was printed."""
        os.write(self.screen, f"{text}\n".encode())
        told = self.until("\0")
        return self.process.wait(patience(60)), told


def decided(project: Path) -> int:
    return len(open_ledger(project / ".hallmark").entries(ENTRY_KIND))


def test_at_a_terminal_the_evidence_is_shown_and_what_was_shown_is_signed(project: Path) -> None:
    bring_keys(project)
    asked = ask(project)
    shown = hallmark(project, "gates", "show", RUN, "release")
    refused = Terminal(project, *APPROVE)
    before = refused.until("[y/N]")
    assert "1 in role risk_officer" in " ".join(before.split()) and "decide by" in before
    page = " ".join(line for line in shown.splitlines() if "ago" not in line)
    assert not set(page.split()) - set(before.split()), "the page is that of `gates show`, with no word cut"
    assert max(map(len, before.splitlines())) <= WIDTH
    code, told = refused.answer("n")
    assert (code, decided(project)) == (1, 0) and "nothing was decided" in told

    terminal = Terminal(project, *APPROVE)
    terminal.until("[y/N]")
    code, told = terminal.answer("y")
    assert code == 0 and "the gate is passed" in told
    governed = governance.load_governance(project / "infra" / "governance", project / ".hallmark")
    (entry,) = open_ledger(project / ".hallmark").entries(ENTRY_KIND)
    assert read_decision(entry, governed).evidence_sha256 == evidence.evidence_digest(asked)


@pytest.mark.attack(rights="worker", stopped="what was shown is what is signed")
def test_evidence_that_changed_after_it_was_shown_is_not_signed(project: Path) -> None:
    bring_keys(project)
    ask(project)
    terminal = Terminal(project, *APPROVE)
    terminal.until("[y/N]")
    ask(project, other=1)
    code, told = terminal.answer("y")
    assert code == 1 and "is not the one on record" in told.replace("\r\n", "")
    assert decided(project) == 0


def test_whoever_may_not_decide_is_told_so_and_nothing_else(project: Path) -> None:
    bring_keys(project)
    ask(project)
    own = ("gates", "approve", RUN, "release", "--as", "ml-engineer", "--reason", "fine")
    told = " ".join(hallmark(project, *own, code=1).split())
    assert told == f"hallmark: ml-engineer asked for run {RUN}; nobody decides on their own run"


@pytest.mark.attack(rights="worker", stopped="what was shown is what is signed")
def test_a_script_approves_only_what_a_person_has_seen(project: Path) -> None:
    bring_keys(project)
    seen = evidence.evidence_digest(ask(project))
    assert f"evidence SHA-256 {seen}" in " ".join(hallmark(project, "gates", "show", RUN, "release").split())
    assert "expected the first 12 or more" in hallmark(project, *APPROVE, "--evidence", seen[:11], code=2)
    ask(project, other=1)
    assert f"not {seen[:12]}; look at it again" in hallmark(project, *APPROVE, "--evidence", seen[:12], code=1)
    assert decided(project) == 0
    now = evidence.evidence_digest(ask(project, other=1))
    document = hallmark_json(project, *APPROVE, "--evidence", now)
    assert (document["state"], document["evidence_sha256"]) == ("passed", now)
