"""The project in which processes are killed, in the states that deeds start from; each is copied for each kill."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

from tasks.core.files import write_json
from tasks.gates import decisions
from tasks.ledger.ledger import open_ledger
from tasks.policy import governance, in_force, root_of_trust
from tasks.registry.admit import admission, outbox
from tasks.registry.promote import assembly, promotion, recovery
from tests.registry.house import NAME, PEOPLE, POLICY, House, adopt

RULES = POLICY.replace("ENVIRONMENT", "local").replace(
    "  low:\n", "  low:\n    break_glass: {role: on-call, confirm_role: risk, confirm_hours: 4}\n"
)
CROWD = f"{PEOPLE}  - {{id: night, name: Night shift, roles: [on-call]}}\n"
WEIGHTS = {"triage-1": b"old", "triage-2": b"new"}
"""What each release serves."""
CANDIDATE, WAITING, DECIDED = "run-2", "run-3", "run-4"
"""Behind all its gates; at the evaluation gate, which nobody has decided; there, and approved."""
KEPT = 3
"""Records of admissions that wait to be delivered."""


def make(folder: Path, states: set[str]) -> None:
    """Make these states, each a folder of its own in `folder`, and those that they follow from."""
    start(folder / "start")
    if states & {"two", "glass broken"}:
        changed(folder / "start", folder / "two", promote)
    if "glass broken" in states:
        changed(folder / "two", folder / "glass broken", break_glass)
    for name, module, step in (
        ("whole bundle", recovery, "record_promotion"),
        ("half a bundle", assembly, "add_promotion"),
    ):
        if name in states:
            changed(folder / "start", folder / name, lambda house, at=(module, step): promote_until(house, *at))


def start(root: Path) -> None:
    """Run-1 is champion as triage-1; the other runs stand where their names say; admissions are to be delivered."""
    folder, state = root / "infra" / "governance", root / ".hallmark"
    folder.mkdir(parents=True)
    (folder / "policy.yaml").write_text(RULES)
    (folder / "people.yaml").write_text(CROWD)
    for name in ("dvc.yaml", "params.yaml"):
        (root / name).touch()
    governance.create_vault_and_keys(state, governance.load_governance(folder, state).people)
    root_of_trust.create_root_key(state)
    adopt(folder, state, open_ledger(state), "root")
    house = open_house(root)
    house.release("run-1", WEIGHTS["triage-1"])
    house.ready(CANDIDATE, WEIGHTS["triage-2"])
    for run in (WAITING, DECIDED):
        house.open(house.begin(run, run.encode()), "data")
    house.ask(house.run(WAITING), "evaluation")
    decided = house.ask(house.run(DECIDED), "evaluation")
    decisions.decide(house.ledger, house.governance, decided, "product", "approve", "seen")
    admission.admit(house.ledger, house.governance, NAME)
    for number in range(KEPT):
        kept = {"kind": "admission.admitted", "subject": NAME, "body": {"number": number}, "happened": "before"}
        write_json(state / outbox.OUTBOX_FOLDER / f"2026010{number}T000000-{number}.json", kept)
    house.ledger.close()


def changed(before: Path, after: Path, change: Callable[[House], None]) -> None:
    """A copy of a state in which something more happened."""
    shutil.copytree(before, after)
    house = open_house(after)
    change(house)
    house.ledger.close()


def promote(house: House) -> None:
    house.promote(house.run(CANDIDATE))


def break_glass(house: House) -> None:
    promotion.rollback(house.ledger, house.governance, "triage-1", "night", "worse", break_glass=True)


def promote_until(house: House, module: object, step: str) -> None:
    """Promote in a process that is killed after a step."""
    house.ledger.close()  # SQLite bears no fork with a file open
    if pid := os.fork():
        assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
        return
    real = getattr(module, step)

    def killed(*args: object) -> None:
        real(*args)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(module, step, killed)
    try:
        promote(open_house(house.root))
    finally:
        os._exit(1)


def open_house(root: Path) -> House:
    folder, state = root / "infra" / "governance", root / ".hallmark"
    ledger = open_ledger(state)
    return House(root, in_force.load_in_force(folder, state, ledger), ledger)
