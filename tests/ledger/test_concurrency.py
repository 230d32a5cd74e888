"""Several people, and the flow, at one gate at once; and deciders who die in the middle."""

import signal
import sqlite3
import time
from collections.abc import Iterator

import pytest

from tasks.gates import cases, gates
from tasks.gates.evidence import Evidence
from tasks.gates.signed_decision import ENTRY_KIND
from tests import forking
from tests.forking import Forked, Forking
from tests.governed.house import House

PROLOGUE = """
import sys
from pathlib import Path
from tasks.core.errors import Refused
from tasks.gates import gates
from tasks.policy import governance
from tasks.gates.decisions import decide
from tasks.gates.evidence import Evidence
from tasks.ledger.ledger import open_ledger
folder, state, evidence, *args = sys.argv[1:]
governed, ledger = governance.load_governance(Path(folder), Path(state)), open_ledger(Path(state))
evidence = Evidence.model_validate_json(Path(evidence).read_bytes())
print("ready", flush=True)
"""
TURN = "waits for its turn to write"
AT_ONCE = f"""
from sqlalchemy import Engine, event

@event.listens_for(Engine, "before_cursor_execute")
def tell(connection, cursor, statement, *_):
    if statement == "BEGIN IMMEDIATE":
        print("{TURN}", flush=True)

sys.stdin.readline()
"""
"""Code that begins on a signal and says when it waits for the lock."""
DECIDE = f"{AT_ONCE}print(decide(ledger, governed, evidence, *args, 'seen').seq)\n"
REJECT_LATE = f"""{AT_ONCE}
try:
    print(decide(ledger, governed, evidence, 'both', 'reject', 'stop', role='risk').seq)
except Refused as error:
    print("refused", error)
"""
SETTLE = f"{AT_ONCE}print(gates.judge_and_close(ledger, governed, evidence).state)\n"
TO_AND_FRO = """
while True:
    for verb in ('approve', 'withdraw'):
        print(decide(ledger, governed, evidence, 'owner', verb, 'seen').seq, flush=True)
"""


@pytest.fixture(scope="module")
def processes() -> Iterator[Forking]:
    with forking.importing("tasks.gates.decisions", "tasks.ledger.tables") as started:
        yield started


def start(processes: Forking, house: House, asked: Evidence, script: str, *args: str) -> Forked:
    path = house.state / "asked.json"
    path.write_text(asked.model_dump_json())
    process = processes.start(PROLOGUE + script, house.governance.folder, house.state, path, *args)
    assert process.stdout.readline() == "ready\n"
    return process


def race(house: House, *racing: Forked) -> list[str]:
    """Let them all go at once; return what each printed.

    The write lock is held until all wait for it, so that whoever reads without taking a turn has read before anybody
    writes.
    """
    holder = sqlite3.connect(house.state / "ledger.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    for process in racing:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.stdout.readline().strip() for process in racing] == [TURN] * len(racing)
    holder.close()
    printed = [process.communicate()[0].replace(f"{TURN}\n", "").strip() for process in racing]
    assert [process.returncode for process in racing] == [0] * len(racing)
    return printed


def test_two_people_decide_at_once_and_both_count(house: House, processes: Forking) -> None:
    asked = house.ask("evaluation")
    race(house, *(start(processes, house, asked, DECIDE, person, "approve") for person in ("lead", "risk-one")))
    assert sorted(d.person for d in house.judge(asked).decisions if d.counted) == ["lead", "risk-one"]


def test_one_person_deciding_twice_at_once_decides_once(house: House, processes: Forking) -> None:
    asked = house.ask()
    first, second = race(house, *(start(processes, house, asked, DECIDE, "owner", "approve") for _ in range(2)))
    assert first == second
    assert len(house.ledger.entries(ENTRY_KIND)) == 1


def test_a_rejection_that_races_with_closing_is_either_counted_or_refused(house: House, processes: Forking) -> None:
    for run in ("run-1", "run-2", "run-3"):
        (house.layout.artefacts("split") / "train.txt").write_text(run)
        asked = house.ask(run=run)
        house.decide(asked, "owner")
        rejection, settled = race(
            house, start(processes, house, asked, REJECT_LATE), start(processes, house, asked, SETTLE)
        )
        assert settled == ("passed" if rejection.startswith("refused") else "rejected")
        assert house.judge(asked).state == settled


def test_two_flows_settling_at_once_close_once(house: House, processes: Forking) -> None:
    asked = house.ask()
    house.decide(asked, "owner")
    assert race(house, *(start(processes, house, asked, SETTLE) for _ in range(2))) == ["passed", "passed"]
    assert len(house.ledger.entries(cases.CLOSED)) == 1


@pytest.mark.slow
def test_a_decider_killed_at_any_moment_leaves_a_decision_or_none(house: House, processes: Forking) -> None:
    asked = house.ask()
    for number in range(8):
        process = start(processes, house, asked, TO_AND_FRO)
        process.stdout.readline()
        time.sleep(0.01 * number)
        process.send_signal(signal.SIGKILL)
        confirmed = [int(line) for line in process.communicate()[0].splitlines() if line]
        entries = house.ledger.entries()
        assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
        assert not confirmed or entries[-1].seq >= confirmed[-1]
        standing = house.judge(asked)
        assert all(d.verb in ("approve", "withdraw") for d in standing.decisions)
        assert standing.state == ("passed" if standing.decisions[-1].verb == "approve" else "waiting")
    house.decide(asked, "both", role="data-owner")
    assert house.settle(asked).state == "passed"
    assert gates.open_evidence(house.ledger) == []
