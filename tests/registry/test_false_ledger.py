"""A server does not take a ledger that was rolled back, changed or exchanged for the right one, and loses no record."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.core.errors import Refused, Unavailable
from tasks.core.files import tree_digest
from tasks.gates import cases
from tasks.ledger import quick_check
from tasks.ledger.entry import MAX_LEAF_BYTES
from tasks.ledger.heads import publication
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy import adoption_entries, in_force
from tasks.registry.admit import admission, last_admission, ledger_rollback, outbox
from tasks.registry.admit.admission import AdmittedRelease
from tasks.registry.release import promotions
from tasks.registry.verify import verification
from tasks.trust import keys
from tests.governed.house import raw
from tests.registry.house import NAME, House, writable
from tests.registry.test_superseded import hide, meanwhile


def admit(house: House, ledger: Ledger | None = None) -> AdmittedRelease:
    return admission.admit(ledger or house.ledger, house.governance, NAME, "server-1")


def records(house: House) -> list[Path]:
    return sorted((house.state / outbox.OUTBOX_FOLDER).glob("*.json"))


def promotion_entries(house: House) -> list[int]:
    return [entry.seq for entry in house.ledger.entries(promotions.PROMOTION_KIND)]


@pytest.fixture
def away(tmp_path: Path) -> Ledger:
    """A ledger whose database went away after it was opened."""
    ledger = open_ledger(tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "elsewhere")
    return ledger


def roll_back_to(house: House, seq: int) -> None:
    """Put an older ledger back on a server that has signed no head of its own."""
    raw(house, f"DELETE FROM hallmark_ledger WHERE seq >= {seq}")
    shutil.rmtree(house.state / "heads")


def replace_gate_key(house: House) -> None:
    """Adopt another key of the gate, with which promotions are signed from now on."""
    before = (house.state / "keys" / "gate.pub").read_text().strip()
    for name in ("gate", "gate.pub"):
        (house.state / "keys" / name).unlink()
    line = keys.create_key_pair(house.state / "keys", "gate")
    ended = f"{{public_key: '{before}', revoked_as_of: 2020-01-01, reason: stolen}}"
    house.adopt(lambda text: f"{text}machines: {{gate: {{keys: ['{line}', {ended}]}}}}\n", "people.yaml")


@pytest.mark.attack(rights="database", stopped="the adoptions of the last admission are signed and kept beside it")
def test_a_ledger_rolled_back_past_an_adoption_brings_nothing_older_into_service(released: House) -> None:
    replace_gate_key(released)
    released.release("run-2", b"second")
    assert released.served() == b"second"
    kept = released.state / last_admission.ADMISSIONS_FOLDER / f"{NAME}.json"
    before, (*_, adopted) = kept.read_bytes(), released.ledger.entries(adoption_entries.ADOPTED)
    roll_back_to(released, adopted.seq)
    released.governance = in_force.read_in_force(released.governance.folder, released.state, released.ledger)[0]

    admitted = admit(released)
    assert (admitted.label, admitted.ledger_unavailable) == ("triage-2", True)
    assert admission.admit_in_checkout(released.checkout(), NAME).label == "triage-2"
    assert kept.read_bytes() == before
    assert released.ledger.entries(ledger_rollback.ENTRY_KIND)[0].body["release"] == "triage-2"


def test_later_adoptions_are_no_rollback(released: House) -> None:
    released.served()
    released.adopt(lambda text: text.replace("name: Engineer", "name: Other engineer"), "people.yaml")
    assert not admit(released).ledger_unavailable
    replace_gate_key(released)
    with pytest.raises(Refused, match="no release of 'triage' is promoted"):
        admit(released)  # the key that signed what was admitted last counts no more


@pytest.mark.attack(rights="gate key", stopped="the statement admitted here last must be in the ledger")
def test_a_fork_whose_numbers_have_caught_up_brings_nothing_else_into_service(succeeded: House) -> None:
    assert succeeded.served() == b"second"
    _, second = promotion_entries(succeeded)
    roll_back_to(succeeded, second)
    for _ in range(3):
        newest = promotions.read_promotions(succeeded.ledger, succeeded.governance, NAME).newest_statement
        assert newest is not None
        again = newest.promotion.model_copy(
            update={
                "sequence": newest.promotion.sequence + 1, "previous": newest.sha256,
                "replaces": promotions.replaced_release(newest),
            }
        )  # fmt: skip
        envelope = promotions.sign_promotion(again, newest.release_sha256, succeeded.governance)
        succeeded.ledger.append(promotions.PROMOTION_KIND, NAME, {"envelope": envelope})
    admitted = admit(succeeded)
    assert (admitted.label, admitted.ledger_unavailable) == ("triage-2", True)
    (succeeded.state / last_admission.ADMISSIONS_FOLDER / f"{NAME}.json").unlink()
    assert admit(succeeded).label == "triage-1", "as the documents say of a restored ledger"


@pytest.mark.attack(rights="database", stopped="nothing is delivered to a ledger that was changed")
def test_records_are_kept_from_a_changed_ledger(released: House, away: Ledger) -> None:
    released.served()
    admit(released, away)
    publication.publish(released.ledger, released.governance)
    hide(released, cases.CLOSED)
    before = released.ledger.last_seq()
    assert admit(released).ledger_unavailable
    assert released.ledger.last_seq() == before and len(records(released)) == 2


@pytest.mark.attack(rights="database", stopped="a record is kept until a ledger with its promotion has it")
def test_records_are_not_lost_with_a_ledger_that_was_rolled_back(succeeded: House, away: Ledger) -> None:
    succeeded.served()
    admit(succeeded, away)
    (succeeded.root / "whole").mkdir()
    raw(succeeded, f"VACUUM INTO '{succeeded.root / 'whole' / 'ledger.db'}'")
    roll_back_to(succeeded, promotion_entries(succeeded)[1])
    admit(succeeded)
    assert [entry.kind for entry in succeeded.ledger.entries(None, NAME)][-1] == ledger_rollback.ENTRY_KIND
    outbox.deliver_records(succeeded.ledger, succeeded.state)  # as the watch of another machine does
    assert len(records(succeeded)) == 3
    whole = open_ledger(succeeded.root / "whole")
    assert not admit(succeeded, whole).ledger_unavailable and not records(succeeded)
    assert [e.body["ledger_away"] for e in whole.entries(admission.ADMITTED)] == [False, True, True, False]


@pytest.mark.attack(rights="database", stopped="a record is known if the ledger has all of it")
def test_an_entry_with_the_name_of_a_record_does_not_suppress_it(succeeded: House) -> None:
    succeeded.served()
    roll_back_to(succeeded, promotion_entries(succeeded)[1])
    raw(succeeded, "CREATE TRIGGER full BEFORE INSERT ON hallmark_ledger BEGIN SELECT RAISE(ABORT, 'full'); END")
    admit(succeeded)
    raw(succeeded)  # drops the trigger
    (kept,) = [path for path in records(succeeded) if "rolled-back" in path.name]
    succeeded.ledger.append(ledger_rollback.ENTRY_KIND, NAME, {"kept": kept.stem})
    admit(succeeded)
    assert succeeded.ledger.entries(ledger_rollback.ENTRY_KIND)[-1].body["release"] == "triage-2"


def test_a_record_that_the_ledger_refuses_keeps_no_other_from_it(released: House, away: Ledger) -> None:
    released.served()
    admit(released, away)
    outbox.store_record(released.state, "0-long", admission.ADMITTED, NAME, {"server": "x" * MAX_LEAF_BYTES})
    assert not admit(released).ledger_unavailable
    assert [e.body["ledger_away"] for e in released.ledger.entries(admission.ADMITTED)] == [False, True, False]
    assert [path.stem for path in records(released)] == ["0-long"]
    with pytest.raises(Refused, match=r"an entry of .* bytes was to be recorded"):
        outbox.deliver_records(released.ledger, released.state)


def test_on_a_full_disk_what_was_admitted_is_served(
    released: House, away: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    released.served()
    (released.state / outbox.OUTBOX_FOLDER).write_text("where no folder can be made, no file can be written either")
    with caplog.at_level(logging.WARNING, "hallmark"):
        assert admit(released, away).label == "triage-1"
    assert "cannot be written" in caplog.text
    assert not admit(released).ledger_unavailable


def test_on_a_full_disk_nothing_is_admitted_for_the_first_time(released: House) -> None:
    (released.state / last_admission.ADMISSIONS_FOLDER).write_text("")
    with pytest.raises(Unavailable, match="make room there, and admit again"):
        admit(released)


@pytest.mark.attack(rights="database", stopped="what is read is read from the snapshot that was checked")
def test_a_ledger_that_is_changed_after_the_check_is_not_read(
    succeeded: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    publication.publish(succeeded.ledger, succeeded.governance)
    meanwhile(monkeypatch, quick_check, "find_problems", lambda: hide(succeeded, promotions.PROMOTION_KIND))
    assert admit(succeeded).label == "triage-2"


def exchange_settings(house: House) -> None:
    path = writable(house.bundle()) / "payload" / "asking.json"
    path.write_text(path.read_text().replace("Triage.", "Say yes."))


def exchange_manifest(house: House) -> None:
    path = writable(house.bundle()) / "payload" / "manifest.json"
    path.write_text(path.read_text().replace('"method"', ' "method"'))


@pytest.mark.attack(rights="disk", stopped="what is parsed has the digest in the promotion statement")
@pytest.mark.parametrize("exchange", [exchange_settings, exchange_manifest], ids=["settings", "manifest"])
def test_files_that_are_exchanged_after_they_were_verified_are_not_used(
    released: House, monkeypatch: pytest.MonkeyPatch, exchange: Callable[[House], None]
) -> None:
    meanwhile(monkeypatch, verification, "require_valid_release", lambda: exchange(released))
    with pytest.raises(Refused, match="is not the file that was promoted"):
        admit(released)


def test_the_digest_of_the_base_model_is_that_of_the_files_that_were_read(released: House) -> None:
    admitted = admit(released)
    assert admitted.base and admitted.base_sha256 == tree_digest(admitted.base)
