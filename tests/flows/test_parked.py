"""Which parked runs may go on, as the ledger says: what the runner asks twice a second. Prefect: test_watch.py."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import event

from flows import gates
from flows.partial_work import PartialFailure
from flows.suspended_runs import FULL_CHECK_SECONDS, SuspendedRuns
from tasks.core.errors import Refused
from tasks.core.layout import Layout
from tasks.core.params.params import load_params
from tasks.gates import cases, evidence, signed_request
from tasks.gates.decisions import decide
from tasks.gates.evidence import Evidence
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.runs import journal
from tasks.runs.journal import GateState, Journal
from tasks.runs.request import RunRequest
from tasks.runs.run import installed_governance, open_run, run_layout
from tasks.trust import dsse
from tests.checkouts import Checkouts
from tests.governed.house import put_result
from tests.in_process import adopt
from tests.tiny_project import create, signed

RUNS = ("20260101-000000-aaaa", "20260101-000000-bbbb", "20260101-000000-cccc")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    return checkouts.ready(tmp_path_factory.mktemp("parked") / "project")


@pytest.fixture(scope="module")
def ledger(project: Path) -> Ledger:
    return open_ledger(project / ".hallmark")


@pytest.fixture(scope="module")
def asked(project: Path, ledger: Ledger) -> dict[str, Evidence]:
    """The release gates of three runs, of which the last is on another machine."""
    return {run: ask(project, ledger, run, here=run != RUNS[-1]) for run in RUNS}


def ask(project: Path, ledger: Ledger, run: str, here: bool = True) -> Evidence:
    governed, made = installed_governance(project, None), Layout(project.parent / run)
    put_result(made.artefacts("package"), rows=sum(map(ord, run)))
    envelope = signed(project, RunRequest(run_id=run, requested_by="ml-engineer"))[1]
    known = signed_request.request_for_run(ledger, governed, run) or signed_request.record_request(
        ledger, governed, envelope
    )
    if here:
        dsse.write_envelope(run_layout(project, run).request_path, known.envelope)
    found = evidence.collect_evidence("release", made, load_params(project / "params.yaml"), governed.policy, known)
    return cases.open_gate(ledger, found)


@pytest.fixture
def parked(project: Path, asked: dict[str, Evidence]) -> SuspendedRuns:
    """After its first look at everything."""
    found = SuspendedRuns(project)
    assert found.find_decided_runs(full_check=True) == set()
    return found


@pytest.fixture
def statements(parked: SuspendedRuns) -> Iterator[list[str]]:
    """What the monitor asks the ledger's database."""
    found: list[str] = []

    def note(_connection, _cursor, statement, *_) -> None:  # type: ignore[no-untyped-def]
        found.extend([statement] if statement != "BEGIN" else [])

    assert parked._ledger is not None
    event.listen(parked._ledger._tables._engine, "before_cursor_execute", note)
    yield found
    event.remove(parked._ledger._tables._engine, "before_cursor_execute", note)


def test_nothing_new_costs_one_question_and_opens_no_run(
    parked: SuspendedRuns, ledger: Ledger, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object) -> None:
        raise AssertionError("a run was opened")

    monkeypatch.setattr("flows.suspended_runs.GovernanceCache", opened)
    assert parked.find_decided_runs(full_check=False) == set() and len(statements) == 1
    ledger.append("run.stage", "another run", {})
    statements.clear()  # the ledgers of a process share their engine
    assert parked.find_decided_runs(full_check=False) == set() and len(statements) == 2, "what runs do answers no gate"


def test_a_decision_answers_one_until_it_is_resumed(
    project: Path, parked: SuspendedRuns, ledger: Ledger, asked: dict[str, Evidence]
) -> None:
    governed = installed_governance(project, None)
    decide(ledger, governed, asked[RUNS[2]], "risk-officer", "approve", "fine")
    assert parked.find_decided_runs(full_check=False) == set(), "its own machine sees to the third"
    decide(ledger, governed, asked[RUNS[0]], "risk-officer", "approve", "fine")
    assert parked.find_decided_runs(full_check=False) == {RUNS[0]}
    assert parked.find_decided_runs(full_check=False) == {RUNS[0]}, "it may not have parked yet"
    assert SuspendedRuns(project).find_decided_runs(full_check=True) == {RUNS[0]}, "whoever starts anew sees the same"
    decide(ledger, governed, asked[RUNS[0]], "risk-officer", "withdraw", "not fine")
    assert SuspendedRuns(project).find_decided_runs(full_check=True) == set()


def test_one_that_is_closed_goes_on_to_say_so(
    project: Path, parked: SuspendedRuns, ledger: Ledger, asked: dict[str, Evidence]
) -> None:
    cases.record_closing(ledger, cases.current_case(ledger, asked[RUNS[0]]), "expired")
    assert parked.find_decided_runs(full_check=False) == {RUNS[0]}


def test_another_policy_answers_all_that_are_here(project: Path, parked: SuspendedRuns, ledger: Ledger) -> None:
    policy = project / "infra" / "governance" / "policy.yaml"
    before = policy.read_text()
    policy.write_text(before.replace("at_least: 10", "at_least: 11"))
    adopt(project)
    assert parked.find_decided_runs(full_check=False) == {RUNS[1]}
    policy.write_text(before)
    adopt(project)
    assert SuspendedRuns(project).find_decided_runs(full_check=True) == set()


def test_a_run_that_ends_since_policy_changed_closes_its_gate(
    project: Path, parked: SuspendedRuns, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would be answered for ever: its flow run has ended, and no decision can close the gate any more."""
    monkeypatch.setenv("HALLMARK_ROOT", str(project))
    run, policy = "20260101-000000-dddd", project / "infra" / "governance" / "policy.yaml"
    create(project, run)
    asked = ask(project, ledger, run)
    waits = {"release": GateState(state="waiting")}
    journal.write_journal(project / ".hallmark", Journal(run=run, requested_by="ml-engineer", gates=waits))
    before = policy.read_text()
    policy.write_text(before.replace("at_least: 10", "at_least: 11"))
    adopt(project)
    assert run in parked.find_decided_runs(full_check=False)
    with pytest.raises(Refused, match="policy changed"):
        gates.require_same_policy(open_run(project, run))
    policy.write_text(before)
    adopt(project)

    (closed,) = ledger.entries(cases.CLOSED, run)
    assert (closed.body["state"], closed.body["sha256"]) == ("void", evidence.evidence_digest(asked))
    assert run not in parked.find_decided_runs(full_check=False) and run not in SuspendedRuns(
        project
    ).find_decided_runs(full_check=True)
    assert run not in {each.run for each in cases.open_evidence(ledger)}


class Prefect:
    """A server that has some parked flow runs, and refuses to resume some of them."""

    def __init__(self, parked: list[str], refused: list[str]) -> None:
        self.parked, self.refused, self.asked = parked, refused, 0

    def read_flow_runs(self, **_: object) -> list[SimpleNamespace]:
        self.asked += 1
        return [SimpleNamespace(id=run, parameters={"request": {"run_id": run}}) for run in self.parked]

    def resume_flow_run(self, flow_run: str) -> None:
        if flow_run in self.refused:
            raise RuntimeError("not now")
        self.parked.remove(flow_run)


@pytest.fixture
def answered(project: Path, ledger: Ledger) -> Iterator[set[str]]:
    """Two runs that policy answers."""
    policy = project / "infra" / "governance" / "policy.yaml"
    before = policy.read_text()
    two = {"20260101-000000-eeee", "20260101-000000-ffff"}
    for run in two:
        ask(project, ledger, run)
    policy.write_text(before.replace("at_least: 10", "at_least: 12"))
    adopt(project)
    yield two
    policy.write_text(before)
    adopt(project)


def test_a_run_that_cannot_be_resumed_keeps_no_other(
    project: Path, answered: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sorted(answered)
    prefect, parked = Prefect([first, second], refused=[first]), SuspendedRuns(project)
    monkeypatch.setattr("flows.suspended_runs.get_client", lambda **_: nullcontext(prefect))
    with pytest.raises(PartialFailure, match=f"run {first} cannot go on: .*not now") as told:
        parked.resume_decided()
    assert told.value.done == [second] and prefect.parked == [first]
    prefect.refused = []
    assert parked.resume_decided() == [first], "the next look tries again"


def test_runs_that_have_ended_are_not_asked_for_again_and_again(
    project: Path, answered: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    prefect, parked, now = Prefect([], refused=[]), SuspendedRuns(project), [1e6]
    monkeypatch.setattr("flows.suspended_runs.get_client", lambda **_: nullcontext(prefect))
    monkeypatch.setattr("flows.suspended_runs.time", SimpleNamespace(monotonic=lambda: now[0]))
    for asked in (2, 3):  # whole, and one that may be about to park; whole again, and they have ended
        assert parked.resume_decided() == parked.resume_decided() == []
        assert prefect.asked == asked
        now[0] += FULL_CHECK_SECONDS
    prefect.parked = sorted(answered)
    assert parked.resume_decided() == sorted(answered), "the look at all of them finds what parked late"


def test_the_next_whole_look_is_a_minute_after_one_also_where_prefect_is_away(
    project: Path, answered: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**_: object) -> None:
        raise ConnectionError("Prefect is away")

    parked, looks = SuspendedRuns(project), []
    look = parked.find_decided_runs
    monkeypatch.setattr("flows.suspended_runs.get_client", away)
    monkeypatch.setattr(parked, "find_decided_runs", lambda whole: looks.append(whole) or look(whole))
    for _ in range(3):
        with pytest.raises(ConnectionError):
            parked.resume_decided()
    assert looks == [True, False, False]
