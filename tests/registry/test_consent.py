"""What was trained on a withdrawn source is not promoted; what was promoted before stays what it is."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tasks.consent import withdrawals
from tasks.core.errors import Refused
from tasks.core.files import write_json
from tasks.registry.admit import admission
from tasks.registry.promote import assembly, intents, promotion, recovery, releases, rollback_orders
from tasks.registry.release import promotions
from tasks.registry.release.promotions import SignedPromotion
from tests.registry.house import NAME, SOURCE, House, open_house, writable


def withdraw(house: House) -> None:
    declare(house)
    withdrawals.withdraw_source(house.ledger, house.governance, "tickets", "owner", "consent ended")


def restore(house: House) -> None:
    withdrawals.restore_source(house.ledger, house.governance, "tickets", "owner", "a mistake")


def declare(house: House) -> None:
    with (house.governance.folder / "sources.yaml").open("w") as file:
        YAML().dump({"sources": [SOURCE["source"]]}, file)


def champion(house: House) -> list[str]:
    every = releases.list_releases(house.ledger, house.governance)
    return [str(release.label) for release in every if "champion" in release.aliases]


def test_a_run_behind_all_its_gates_is_not_promoted(ready: House) -> None:
    withdraw(ready)
    with pytest.raises(Refused, match="not promoted: source tickets was withdrawn by owner"):
        ready.promote(ready.run("run-1"))
    assert champion(ready) == [] and not ready.bundle().exists()
    restore(ready)
    assert ready.promote(ready.run("run-1")).label == "triage-1"


@pytest.mark.attack(rights="worker", stopped="the package names its sources, and withdrawals are asked of the ledger")
def test_inputs_that_no_longer_name_the_source_help_nobody(ready: House) -> None:
    withdraw(ready)
    layout = ready.run("run-1")
    write_json(layout.sources_path, {"sources": [], "as_of": "2026-03-01", "vault": "0" * 32})
    with pytest.raises(Refused):
        ready.promote(layout)
    assert champion(ready) == []


def test_a_withdrawal_while_the_release_is_being_built_is_in_time(
    ready: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename: Callable[..., None] = assembly.rename_to_final

    def renamed(*args: object) -> None:
        rename(*args)
        withdraw(ready)

    monkeypatch.setattr(assembly, "rename_to_final", renamed)
    with pytest.raises(Refused, match="source tickets was withdrawn"):
        ready.promote(ready.run("run-1"))
    assert champion(ready) == [] and not ready.bundle().exists()


def test_a_promotion_that_a_crash_interrupted_is_undone(ready: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(recovery, "record_promotion", crash)
        ready.promote(ready.run("run-1"))
    assert intents.pending_intents(ready.ledger)
    withdraw(ready)
    (told,) = promotion.recover(ready.ledger, ready.governance)
    assert "is undone: what was trained on a withdrawn source" in told
    assert champion(ready) == []


def test_a_release_promoted_before_stays_valid_and_in_production(released: House) -> None:
    withdraw(released)
    assert releases.verify_release(released.bundle(), released.governance).ok
    assert releases.promotion_problems(released.ledger, released.governance) == []
    assert champion(released) == ["triage-1"] and admission.admit(released.ledger, released.governance, NAME)
    assert releases.releases_by_source(released.ledger, released.governance).by_name == {"tickets": ["triage-1"]}


def test_no_rollback_to_what_was_trained_on_it(succeeded: House) -> None:
    withdraw(succeeded)
    with pytest.raises(Refused, match="source tickets was withdrawn"):
        succeeded.roll_back("worse")
    assert champion(succeeded) == ["triage-2"]
    restore(succeeded)
    succeeded.roll_back("worse")
    assert champion(succeeded) == ["triage-1"]


def test_a_release_that_does_not_say_what_it_was_trained_on_is_not_promoted(released: House, tmp_path: Path) -> None:
    from tasks.consent import release_sources

    with pytest.raises(Refused, match="cannot be read which sources"):
        release_sources.require_sources_not_withdrawn(tmp_path, released.ledger, released.governance)
    assert promotions.read_promotions(released.ledger, released.governance, NAME).newest_statement


def test_a_withdrawal_while_a_rollback_is_being_looked_at_is_in_time(
    succeeded: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's connection writes between the look at the release and the ledger's transaction."""
    target: Callable[..., SignedPromotion] = rollback_orders.target_statement

    def looked(*args: object) -> SignedPromotion:
        found = target(*args)
        owner = threading.Thread(target=withdraw, args=(open_house(succeeded.root),))
        owner.start()
        owner.join()
        return found

    monkeypatch.setattr(rollback_orders, "target_statement", looked)
    with pytest.raises(Refused, match="source tickets was withdrawn"):
        succeeded.roll_back("worse")
    assert champion(succeeded) == ["triage-2"]


def test_releases_that_cannot_be_read_here_are_named_and_the_rest_is_told(succeeded: House) -> None:
    (digest,) = releases.releases_by_dataset(succeeded.ledger, succeeded.governance).by_name
    payload = writable(succeeded.bundle("triage-1")) / "payload"
    (payload / "dataset" / "manifest.json").write_text("{")
    found = releases.releases_by_source(succeeded.ledger, succeeded.governance)
    assert (found.by_name, found.unreadable) == ({"tickets": ["triage-2"]}, ["triage-1"])
    assert found.notice() == "what these releases were trained on cannot be read on this machine: triage-1"
    shutil.rmtree(succeeded.bundle("triage-1"))
    found = releases.releases_by_dataset(succeeded.ledger, succeeded.governance)
    assert (found.by_name, found.unreadable) == ({digest: ["triage-2"]}, ["triage-1"])
