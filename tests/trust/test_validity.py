"""Keys and roles count for a time; what was signed is judged as of when it was recorded."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.core.errors import InputError, Refused
from tasks.gates.evidence import Evidence
from tasks.policy import people
from tasks.trust import keys
from tasks.trust.validity import Key, possible_key_lines
from tests.gates.test_attacks import plant
from tests.governed.house import PEOPLE, House, reload

NOW = datetime.now(UTC)
EARLIER, LATER = ((NOW + timedelta(days=days)).isoformat() for days in (-1, 1))


def owner(house: House, **of_key: str) -> None:
    """The owner's entry with the key of `hallmark init`, and what else is said of it."""
    told = ", ".join(f"{name}: '{value}'" for name, value in of_key.items())
    key = f"{{public_key: {house.line('owner')}, {told}}}"
    reload(house, people=PEOPLE.replace("id: owner,", f"id: owner, keys: [{key}],"))


def role(house: House, **period: str) -> None:
    told = ", ".join(f"{name}: '{value}'" for name, value in period.items())
    held = f"Data owner, roles: [{{role: data-owner, {told}}}]"
    reload(house, people=PEOPLE.replace("Data owner, roles: [data-owner]", held))


def test_a_day_means_its_midnight_in_utc_and_the_end_is_outside() -> None:
    line = keys.make_public_line(keys.Ed25519PrivateKey.generate())
    key = Key.model_validate({"public_key": line, "valid_after": "2026-03-01", "valid_before": "2026-04-01"})
    first, last = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
    tick = timedelta(microseconds=1)
    assert [key.state(at) for at in (first - tick, first, last - tick, last)] == [
        "later",
        "current",
        "current",
        "ended",
    ]
    assert Key.model_validate(key.model_dump(mode="json")) == key


@pytest.mark.parametrize("field", ["valid_after", "valid_before", "revoked_as_of"])
@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+14:00", "'0001-01-01 00:00:00+14:00'", "9999-12-31T23:59:59-14:00"]
)
def test_a_time_that_utc_has_none_of_is_refused_in_words(house: House, field: str, time: str) -> None:
    told = f"keys: [{{public_key: {house.line('owner')}, reason: lost, {field}: {time}}}]"
    with pytest.raises(InputError, match=rf"people.yaml:\d+: .*{field}.*expected a time in the years 1 to 9999"):
        reload(house, people=PEOPLE.replace("id: owner,", f"id: owner, {told},"))


def test_a_key_that_ended_leaves_what_it_signed_valid(house: House, asked: Evidence, tmp_path: Path) -> None:
    house.decide(asked, "owner")
    turned = house.ledger.now().isoformat()
    new = keys.create_key_pair(tmp_path / "new", "owner")
    old = f"{{public_key: {house.line('owner')}, valid_before: '{turned}'}}"
    both = f"keys: [{old}, {{public_key: {new}, valid_after: '{turned}'}}]"
    reload(house, people=PEOPLE.replace("id: owner,", f"id: owner, {both},"))
    assert house.judge(asked).state == "passed"
    later = house.ask("data", run="run-2")
    with pytest.raises(Refused, match="which ended on"):
        house.decide(later, "owner", signer=house.key("owner"))
    house.decide(later, "owner", "reject", signer=keys.make_signer(keys.load_private_key(tmp_path / "new" / "owner")))
    assert house.judge(later).state == "rejected"


@pytest.mark.attack(rights="approver", stopped="the key is revoked as of a time")
def test_a_key_revoked_as_of_a_time_voids_what_came_after_and_keeps_what_came_before(house: House) -> None:
    asked = house.ask()
    house.decide(asked, "owner")
    owner(house, revoked_as_of=LATER, reason="laptop stolen")
    assert house.judge(asked).state == "passed"
    owner(house, revoked_as_of=EARLIER, reason="laptop stolen")
    assert house.judge(asked).state == "waiting", "also what was recorded before the revocation was known"
    assert "(laptop stolen), and this is of" in house.why_not(asked)
    with pytest.raises(Refused, match="which is revoked as of"):
        house.decide(asked, "owner")


@pytest.mark.attack(rights="approver", stopped="keys are judged as of the ledger's time where that is later")
def test_whoever_has_a_revoked_key_and_sets_the_clock_back_gains_nothing(house: House, asked: Evidence) -> None:
    owner(house, revoked_as_of=EARLIER, reason="laptop stolen")
    plant(house, asked, "owner", time=NOW - timedelta(days=2))
    assert house.judge(asked).state == "waiting"
    assert "is revoked as of" in house.why_not(asked)


def test_a_role_given_later_makes_no_earlier_decision_count(house: House, asked: Evidence) -> None:
    house.decide(asked, "owner")
    role(house, valid_after=LATER)
    assert "owner held no role on" in house.why_not(asked)
    with pytest.raises(Refused, match="owner holds no role on"):
        house.decide(asked, "owner")


@pytest.mark.attack(rights="approver", stopped="what says it was signed after it was recorded counts for nothing")
def test_nor_by_a_clock_set_ahead(house: House, asked: Evidence) -> None:
    role(house, valid_after=LATER)
    plant(house, asked, "owner", time=NOW + timedelta(days=2))
    assert house.judge(asked).state == "waiting"
    assert "it says that it was signed on" in house.why_not(asked)


def test_what_the_gate_signed_without_a_time_counts_until_its_key_is_revoked() -> None:
    line = keys.make_public_line(keys.Ed25519PrivateKey.generate())
    at = datetime(2026, 3, 1, tzinfo=UTC)
    for more, counts in (
        ({}, True),
        ({"valid_before": "2026-02-01"}, True),
        ({"valid_after": "2026-03-02"}, False),
        ({"revoked_as_of": "2026-03-02", "reason": "r"}, True),
        ({"revoked_as_of": "2026-03-01", "reason": "r"}, False),
    ):
        assert bool(possible_key_lines([Key(public_key=line, **more)], at)) is counts, more


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            "valid_after: 2026-03-01, valid_before: 2026-03-01",
            "valid_before (2026-03-01 00:00 UTC) is not",
        ),
        ("valid_before: soon", "expected a day or a time as in 2026-03-31"),
        ("revoked_as_of: 2026-03-01", "revoked_as_of and reason belong together"),
        ("reason: lost", "revoked_as_of and reason belong together"),
    ],
)
def test_a_key_that_says_what_cannot_be(tmp_path: Path, entry: str, expected: str) -> None:
    line = keys.create_key_pair(tmp_path, "a")
    text = f"people:\n  - id: a\n    name: A\n    roles: [r]\n    keys:\n      - {{public_key: {line}, {entry}}}\n"
    (tmp_path / "people.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        people.load_people(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/people.yaml:6: people.0.keys.0") and expected in str(caught.value)
