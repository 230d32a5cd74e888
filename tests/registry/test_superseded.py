"""Conditions of a promotion can change until it is recorded, and a recorded promotion is not undone."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.core.errors import Refused, Unavailable
from tasks.gates import cases
from tasks.ledger.heads import publication
from tasks.registry.promote import assembly, intents, mlflow_mirror, promotion, recovery, releases
from tasks.registry.release import promotions
from tests.ledger_tampering import unguard
from tests.registry.house import COMMIT, NAME, House, open_house


def rename_engineer(text: str) -> str:
    return text.replace("name: Engineer", "name: Other engineer")


def adopt_elsewhere(house: House) -> None:
    """Somebody else adopts other people; `house` still has the governance that it read before."""
    open_house(house.root).adopt(rename_engineer, "people.yaml")


def hide(house: House, kind: str) -> None:
    """Take the newest entry of a kind for another, in a ledger whose head is signed."""
    newest = house.ledger.entries(kind)[-1].seq
    with sqlite3.connect(house.state / "ledger.db") as connection:
        unguard(connection)
        connection.execute(f"UPDATE hallmark_ledger SET kind = 'gate.reminded' WHERE seq = {newest}")
    connection.close()


def made(house: House) -> list[str]:
    line = promotions.read_promotions(house.ledger, house.governance, NAME)
    return [signed.promotion.label for signed in line.valid_statements]


def folders(house: House) -> list[str]:
    return sorted(path.name for path in (house.state / "releases").iterdir())


@contextmanager
def killed_at(monkeypatch: pytest.MonkeyPatch, module: object, name: str) -> Iterator[None]:
    """The process is killed when it would call a function."""

    def kill(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(module, name, kill)
        yield


def meanwhile(monkeypatch: pytest.MonkeyPatch, module: object, name: str, act: Callable[[], object]) -> None:
    """Somebody else acts after a step."""
    step = getattr(module, name)

    def stepped(*args: object, **more: object) -> object:
        done = step(*args, **more)
        act()
        return done

    monkeypatch.setattr(module, name, stepped)


def test_what_waited_while_other_rules_were_adopted_is_not_promoted(ready: House) -> None:
    adopt_elsewhere(ready)
    with pytest.raises(Refused, match="adopted anew meanwhile"):
        ready.promote(ready.run("run-1"))
    assert not ready.ledger.entries(intents.INTENT_KIND) and not made(ready)


def test_what_is_built_while_other_rules_are_adopted_is_not_promoted(
    ready: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, assembly, "rename_to_final", lambda: adopt_elsewhere(ready))
    with pytest.raises(Refused, match="adopted anew meanwhile"):
        ready.promote(ready.run("run-1"))
    assert not made(ready) and not folders(ready)


def test_under_rules_that_are_in_force_no_more_nothing_is_undone(ready: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with killed_at(monkeypatch, recovery, "record_promotion"):
        ready.promote(ready.run("run-1"))
    adopt_elsewhere(ready)
    (told,) = promotion.recover(ready.ledger, ready.governance)
    assert "adopted anew meanwhile" in told and intents.pending_intents(ready.ledger)
    assert "is complete" in " ".join(promotion.recover(ready.ledger, open_house(ready.root).governance))
    assert made(ready) == ["triage-1"]


@pytest.mark.attack(rights="database", stopped="the ledger is verified in the transaction that records a promotion")
def test_a_ledger_that_is_changed_while_a_release_is_built_promotes_nothing(
    ready: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    publication.publish(ready.ledger, ready.governance)
    meanwhile(monkeypatch, assembly, "rename_to_final", lambda: hide(ready, cases.CLOSED))
    with pytest.raises(Refused, match="So nothing is done on it"):
        ready.promote(ready.run("run-1"))
    assert not made(ready) and not ready.ledger.entries(intents.UNDONE_KIND)


@pytest.mark.attack(rights="database", stopped="the ledger is verified in the transaction that records a rollback")
def test_a_ledger_that_is_changed_just_before_a_rollback_goes_back_to_nothing(
    succeeded: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    publication.publish(succeeded.ledger, succeeded.governance)
    before, steps = succeeded.ledger.last_seq(), iter([lambda: None, lambda: hide(succeeded, cases.CLOSED)])
    meanwhile(monkeypatch, recovery, "settle_pending_intents", lambda: next(steps)())
    with pytest.raises(Refused, match="So nothing is done on it"):
        succeeded.roll_back()
    assert succeeded.ledger.last_seq() == before


def test_a_promotion_whose_answer_was_lost_is_not_undone(ready: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database recorded it, and the connection broke before it could say so."""

    def lost() -> None:
        raise Unavailable("the connection broke")

    with monkeypatch.context() as patched, pytest.raises(Unavailable):
        meanwhile(patched, recovery, "record_promotion", lost)
        ready.promote(ready.run("run-1"))
    assert not ready.ledger.entries(intents.UNDONE_KIND) and folders(ready) == ["triage-1"]
    assert ready.promote(ready.run("run-1")).label == "triage-1"
    assert ready.release("run-2", b"second").label == "triage-2"


FORGED_INTENT = {
    "name": NAME, "environment": "local", "sequence": 2, "previous": None, "run": "x", "commit": COMMIT,
}  # fmt: skip


@pytest.mark.attack(rights="database", stopped="a version is higher than those of all signed statements, by one")
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (intents.UNDONE_KIND, {"named": False}),
        (intents.UNDONE_KIND, {"intent": [], "named": False}),
        (intents.INTENT_KIND, FORGED_INTENT | {"version": 10**300}),
        (intents.INTENT_KIND, FORGED_INTENT | {"version": intents.MAX_VERSION, "installation": "x"}),
    ],
    ids=["undone", "undone without a number", "endless digits", "the highest number"],
)
def test_no_row_about_promotions_keeps_the_next_one_from_its_number(
    challenged: House, kind: str, body: dict[str, object]
) -> None:
    (made_by,) = challenged.ledger.entries(promotions.PROMOTION_KIND)
    closes = {"intent": made_by.body["intent"]} if kind == intents.UNDONE_KIND else {}
    challenged.ledger.append(kind, NAME, closes | body)
    assert challenged.promote(challenged.run("run-2")).label == "triage-2"
    assert folders(challenged) == made(challenged) == ["triage-1", "triage-2"]


@pytest.mark.attack(rights="database", stopped="a promotion that the ledger calls undone is not recorded")
def test_a_promotion_that_is_called_undone_is_not_made(ready: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def undo() -> None:
        ((seq, _),) = intents.pending_intents(ready.ledger)
        ready.ledger.append(intents.UNDONE_KIND, NAME, {"intent": seq, "reason": "", "named": False})

    with monkeypatch.context() as patched:
        meanwhile(patched, assembly, "rename_to_final", undo)
        with pytest.raises(Refused, match="was completed or undone meanwhile"):
            ready.promote(ready.run("run-1"))
    assert not made(ready) and not folders(ready)
    assert ready.promote(ready.run("run-1")).label == "triage-2", "a signed statement had the number 1"


def test_a_bundle_whose_removal_is_interrupted_is_removed_later(ready: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with killed_at(monkeypatch, recovery, "record_promotion"):
        ready.promote(ready.run("run-1"))
    ready.adopt(lambda text: text.replace("at_least: 2", "at_least: 3"))

    def interrupted(folder: Path, **_: object) -> None:
        (folder / "attestations" / "promotion.json").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(recovery.shutil, "rmtree", interrupted)
        promotion.recover(ready.ledger, ready.governance)
    assert not intents.pending_intents(ready.ledger)
    assert promotion.recover(ready.ledger, ready.governance) == [] and not folders(ready)


@pytest.mark.attack(rights="database", stopped="aliases follow a ledger that was verified")
def test_aliases_do_not_follow_a_changed_ledger(succeeded: House) -> None:
    publication.publish(succeeded.ledger, succeeded.governance)
    hide(succeeded, promotions.PROMOTION_KIND)
    (told,) = promotion.restore_aliases(succeeded.ledger, succeeded.governance)
    assert "So nothing is done on it" in told
    with mlflow_mirror.RegistryClient(succeeded.state) as client:
        version = client.get_model_version_by_alias(NAME, releases.CHAMPION)
    assert version.tags[mlflow_mirror.RELEASE_TAG] == "triage-2"


@pytest.mark.attack(rights="database", stopped="evidence is found by the digest in the promotion statement")
@pytest.mark.parametrize("gate", ["data", "release"])
def test_a_row_about_a_run_that_cannot_be_read_keeps_nobody_from_its_release(succeeded: House, gate: str) -> None:
    succeeded.adopt(lambda text: text.replace("  low:\n", "  low:\n    separation: {two_roles: false}\n"))
    succeeded.ledger.append(cases.ASKED, "run-1", {"gate": gate})
    listed = releases.list_summaries(succeeded.ledger, succeeded.governance)
    assert [release.label for release in listed] == ["triage-1", "triage-2"]
    assert releases.release_decision_summaries(
        promotions.read_promotions(succeeded.ledger, succeeded.governance, NAME),
        listed[0],
        succeeded.ledger,
        succeeded.governance,
    )
    assert succeeded.roll_back().label == "triage-1"


def test_evidence_that_the_ledger_lost_lets_nothing_pass(succeeded: House) -> None:
    (asked,) = [e for e in succeeded.ledger.entries(cases.ASKED, "run-1") if e.body["gate"] == "evaluation"]
    with sqlite3.connect(succeeded.state / "ledger.db") as connection:
        unguard(connection)
        connection.execute(f"DELETE FROM hallmark_ledger_attached WHERE seq = {asked.seq}")
    connection.close()
    with pytest.raises(Refused, match="does not hold the evidence on which run run-1 passed gate evaluation"):
        succeeded.roll_back()
