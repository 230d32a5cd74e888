"""Which parked runs may go on, as the ledger says: what the runner asks twice a second. Prefect: test_watch.py."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from flows.parked import Parked
from tasks.govern import dsse, signed_request
from tasks.govern.gate import docket, evidence
from tasks.govern.gate.decisions import decide
from tasks.govern.gate.evidence import Evidence
from tasks.govern.ledger.ledger import Ledger, open_ledger
from tasks.layout import Layout
from tasks.params import load
from tasks.runs.request import RunRequest
from tasks.runs.run import installed_governance, layout_of
from tests.govern.house import put_result
from tests.tiny_project import adopt, hallmark, make_project, signed

RUNS = ("20260101-000000-aaaa", "20260101-000000-bbbb", "20260101-000000-cccc")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_project(tmp_path_factory.mktemp("parked") / "project")
    hallmark(folder, "init")
    return folder


@pytest.fixture(scope="module")
def ledger(project: Path) -> Ledger:
    return open_ledger(project / ".hallmark")


@pytest.fixture(scope="module")
def asked(project: Path, ledger: Ledger) -> dict[str, Evidence]:
    """The release gates of three runs, of which the last is on another machine."""
    return {run: ask(project, ledger, run, here=run != RUNS[-1]) for run in RUNS}


def ask(project: Path, ledger: Ledger, run: str, here: bool = True) -> Evidence:
    governed, made = installed_governance(project, None), Layout(project.parent / run)
    put_result(made.stage("package"), rows=len(run) + RUNS.index(run))
    envelope = signed(project, RunRequest(run_id=run, requested_by="ml-engineer"))[1]
    known = signed_request.recorded(ledger, governed, run) or signed_request.record(ledger, governed, envelope)
    if here:
        dsse.write(layout_of(project, run).request, known.envelope)
    found = evidence.collect("release", made, load(project / "params.yaml"), governed.policy, known)
    return docket.ask(ledger, found)


@pytest.fixture
def parked(project: Path, asked: dict[str, Evidence]) -> Parked:
    """After its first look at everything."""
    found = Parked(project)
    assert found.answered(whole=True) == set()
    return found


@pytest.fixture
def statements(parked: Parked) -> Iterator[list[str]]:
    """What the monitor asks the ledger's database."""
    found: list[str] = []

    def note(_connection, _cursor, statement, *_) -> None:  # type: ignore[no-untyped-def]
        found.extend([statement] if statement != "BEGIN" else [])

    assert parked._ledger is not None
    event.listen(parked._ledger._tables._engine, "before_cursor_execute", note)
    yield found
    event.remove(parked._ledger._tables._engine, "before_cursor_execute", note)


def test_nothing_new_costs_one_question_and_opens_no_run(
    parked: Parked, ledger: Ledger, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object) -> None:
        raise AssertionError("a run was opened")

    monkeypatch.setattr("flows.parked.Rules", opened)
    assert parked.answered(whole=False) == set() and len(statements) == 1
    ledger.append("run.stage", "another run", {})
    assert parked.answered(whole=False) == set() and len(statements) == 3, "what runs do answers no gate"


def test_a_decision_answers_one_until_it_is_resumed(
    project: Path, parked: Parked, ledger: Ledger, asked: dict[str, Evidence]
) -> None:
    governed = installed_governance(project, None)
    decide(ledger, governed, asked[RUNS[2]], "risk-officer", "approve", "fine")
    assert parked.answered(whole=False) == set(), "its own machine sees to the third"
    decide(ledger, governed, asked[RUNS[0]], "risk-officer", "approve", "fine")
    assert parked.answered(whole=False) == {RUNS[0]}
    assert parked.answered(whole=False) == {RUNS[0]}, "it may not have parked yet"
    assert Parked(project).answered(whole=True) == {RUNS[0]}, "whoever starts anew sees the same"
    decide(ledger, governed, asked[RUNS[0]], "risk-officer", "withdraw", "not fine")
    assert Parked(project).answered(whole=True) == set()


def test_one_that_is_closed_goes_on_to_say_so(
    project: Path, parked: Parked, ledger: Ledger, asked: dict[str, Evidence]
) -> None:
    docket.record_closing(ledger, docket.current(ledger, asked[RUNS[0]]), "expired")
    assert parked.answered(whole=False) == {RUNS[0]}


def test_another_policy_answers_all_that_are_here(project: Path, parked: Parked, ledger: Ledger) -> None:
    policy = project / "infra" / "governance" / "policy.yaml"
    before = policy.read_text()
    policy.write_text(before.replace("at_least: 10", "at_least: 11"))
    adopt(project)
    assert parked.answered(whole=False) == {RUNS[1]}
    policy.write_text(before)
    adopt(project)
    assert Parked(project).answered(whole=True) == set()
