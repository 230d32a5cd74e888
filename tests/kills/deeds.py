"""What is killed: commands that people type, and what the runner does at a gate and for a promotion.

Each runs in the project's folder, in a process of its own, and is the code that is run there otherwise.
"""

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import infra.cli
from tasks.gates import cases, gates, statement
from tasks.gates.signed_decision import ENTRY_KIND, Verb, read_decision
from tasks.incidents import incidents, signed_incident
from tasks.ledger.heads import publication
from tasks.registry.admit import admission
from tasks.registry.promote import intents, promotion
from tasks.registry.release import promotions
from tasks.trust import gate_statement
from tests.kills.project import CANDIDATE, DECIDED, KEPT, WAITING, open_house
from tests.registry.house import COMMIT, NAME, House

REASON = ("--reason", "seen")


@dataclass(frozen=True)
class Deed:
    name: str
    state: str
    """What it starts from (project.py)."""
    act: Callable[[], None]
    said: str
    """Begins what it prints once it is done."""
    times: Callable[[House], list[int]]
    """How often each thing that it records is there; once it is done, once."""
    champion: str
    """Once it is done."""
    already: str = ""
    """What its user is told instead where it had been done, with exit code 1."""
    settled: Callable[[House], bool] = lambda house: True
    """Whether what follows from it is so, once it is done."""


def command(*words: str) -> Callable[[], None]:
    def act() -> None:
        sys.argv = ["hallmark", *words]
        infra.cli.main()

    return act


def recover() -> None:
    """As the runner's watch does it."""
    house = open_house(Path.cwd())
    print("recovered:", promotion.recover(house.ledger, house.governance))


def promote() -> None:
    """As flows/promotion.py does it, after the run's commit and before it shows it in Prefect."""
    house = open_house(Path.cwd())
    release = promotion.promote(house.run(CANDIDATE), CANDIDATE, COMMIT, house.ledger, house.governance)
    publication.publish_if_changed(house.ledger, house.governance)
    print(f"promoted {release.label}")


def settle() -> None:
    """As flows/gates.py does it, before the run's commit."""
    house = open_house(Path.cwd())
    (case,) = cases.read_cases(house.ledger, DECIDED, "evaluation")
    standing = gates.judge_and_close(house.ledger, house.governance, case.evidence)
    statement.write_gate_statement(house.run(DECIDED), case.evidence, standing, house.governance)
    print("written")


def decided(run: str, verb: Verb) -> Callable[[House], list[int]]:
    """How often somebody decided so at the evaluation gate of a run, under a signature that counts."""

    def times(house: House) -> list[int]:
        found = (read_decision(entry, house.governance).decision for entry in house.ledger.entries(ENTRY_KIND))
        return [sum((d.run, d.gate, d.verb) == (run, "evaluation", verb) for d in found)]

    return times


def stands(run: str, state: str) -> Callable[[House], bool]:
    def so(house: House) -> bool:
        (case,) = cases.read_cases(house.ledger, run, "evaluation")
        return gates.judge_gate(case.evidence, house.ledger, house.governance, house.ledger.now()).state == state

    return so


def statements(label: str, action: str) -> Callable[[House], list[int]]:
    """Promotion statements of a release, and of a rollback with its incident where the glass was broken for it."""

    def times(house: House) -> list[int]:
        found = [
            signed.promotion
            for signed in promotions.read_promotions(house.ledger, house.governance, NAME).valid_statements
        ]
        return [sum((p.label, p.action) == (label, action) for p in found)]

    return times


def broken(house: House) -> list[int]:
    opened = [one.opening.what for one in incidents.read_all(house.ledger, house.governance)]
    return [*statements("triage-1", "rollback")(house), opened.count("break-glass")]


def confirmed(house: House) -> list[int]:
    return [len(house.ledger.entries(signed_incident.CLOSED))]


def delivered(house: House) -> list[int]:
    """Of each admission that was kept; and whether one was recorded since, which may be more than one."""
    kept = Counter(entry.body.get("kept") for entry in house.ledger.entries(admission.ADMITTED, NAME))
    own = kept.pop(None, 0) > 1
    return [*(kept.values() if len(kept) == KEPT else [0]), int(own)]


def closed(house: House) -> list[int]:
    return [len([e for e in house.ledger.entries(cases.CLOSED, DECIDED) if e.body["gate"] == "evaluation"])]


def let_through(house: House) -> bool:
    gate_statement.require_gate(house.run(DECIDED), "evaluation")
    return True


def undone(house: House) -> list[int]:
    return [len(house.ledger.entries(intents.UNDONE_KIND, NAME))]


def at_the_gate(verb: Verb, run: str, then: str) -> Deed:
    words = ("gates", verb, run, "evaluation", "--as", "product", *REASON)
    return Deed(
        f"hallmark gates {verb}", "start", command(*words), "recorded as entry", decided(run, verb), "triage-1",
        settled=stands(run, then),
    )  # fmt: skip


BACK = ("releases", "rollback", "triage-1", *REASON)
DEEDS = [
    Deed("promotion by the flow", "start", promote, "promoted triage-2", statements("triage-2", "promote"), "triage-2"),
    Deed(
        "recovery that finishes a promotion", "whole bundle", recover, "recovered",
        statements("triage-2", "promote"), "triage-2",
    ),
    Deed("recovery that undoes one", "half a bundle", recover, "recovered", undone, "triage-1"),
    Deed(
        "hallmark releases rollback", "two", command(*BACK, "--as", "risk-officer"), "triage-1 is champion again",
        statements("triage-1", "rollback"), "triage-1", "triage-1 is the champion already",
    ),
    Deed(
        "… --break-glass", "two", command(*BACK, "--as", "night", "--break-glass"), "triage-1 is champion again",
        broken, "triage-1", "triage-1 is the champion already",
    ),
    Deed(
        "hallmark releases confirm", "glass broken",
        command("releases", "confirm", "triage-1", "--as", "risk-officer", *REASON), "confirmed", confirmed, "triage-1",
        "was closed by risk-officer: seen",
    ),
    at_the_gate("approve", WAITING, "passed"),
    at_the_gate("reject", WAITING, "rejected"),
    at_the_gate("withdraw", DECIDED, "waiting"),
    Deed("closing of a gate by the flow", "start", settle, "written", closed, "triage-1", settled=let_through),
    Deed("hallmark releases admit", "start", command("releases", "admit", NAME), "triage-1,", delivered, "triage-1"),
]  # fmt: skip
