"""From when on counts what an adoption gives."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tasks.core.errors import Refused
from tasks.policy import effective_times
from tasks.policy.people import People
from tasks.trust import keys

LINE, OTHER = (keys.make_public_line(keys.Ed25519PrivateKey.generate()) for _ in range(2))
AT = datetime(2026, 6, 1, tzinfo=UTC)
Given = list[str | dict[str, str]]


def people(roles: Given, those: Given, demo: bool = False) -> People:
    ada = {"id": "ada", "name": "Ada", "roles": roles, "keys": those, "demo": demo}
    return People.model_validate({"people": [ada], "machines": {"gate": {"keys": [OTHER]}}})


def times(found: list[Any]) -> list[tuple[str, str]]:
    return [tuple(f"{at:%m-%d}" if at else "" for at in (one.valid_after, one.valid_before)) for one in found]


def role(after: str = "", before: str = "") -> dict[str, str]:
    return {"role": "r"} | _dated(after, before)


def key(after: str = "", before: str = "") -> dict[str, str]:
    return {"public_key": LINE} | _dated(after, before)


def _dated(after: str, before: str) -> dict[str, str]:
    told = {"valid_after": after and f"2026-{after}", "valid_before": before and f"2026-{before}"}
    return {name: value for name, value in told.items() if value}


CASES: list[tuple[str, tuple[str, str] | None, tuple[str, str], list[tuple[str, str]]]] = [
    ("added", None, ("", ""), [("06-01", "")]),
    ("added, dated back", None, ("01-01", ""), [("06-01", "")]),
    ("added for later", None, ("07-01", "08-01"), [("07-01", "08-01")]),
    ("the same", ("02-01", ""), ("02-01", ""), [("02-01", "")]),
    ("from earlier on", ("02-01", ""), ("01-01", ""), [("02-01", "")]),
    ("what begins later, from before", ("07-01", ""), ("01-01", ""), [("06-01", "")]),
    ("from later on", ("02-01", ""), ("03-01", ""), [("03-01", "")]),
    ("ended, as is known now", ("", ""), ("", "05-01"), [("", "05-01")]),
    ("longer", ("", "07-01"), ("", "09-01"), [("", "09-01")]),
    ("longer, at the very end", ("", "06-01"), ("", ""), [("", "")]),
]


@pytest.mark.parametrize(("was", "said", "counts"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_of_the_past_counts_only_what_counted_then(
    was: tuple[str, str] | None, said: tuple[str, str], counts: list[tuple[str, str]]
) -> None:
    before = people(["x", *([role(*was)] if was else [])], [key(*was)] if was else [])
    now = effective_times.effective_people(people(["x", role(*said)], [key(*said)]), before, AT).people[0]
    assert times(now.roles) == [("", ""), *counts] and times(now.keys) == counts


def test_a_role_that_ended_may_be_given_again_and_the_time_between_stays_out() -> None:
    before = people([role("", "03-01")], [LINE])
    now = effective_times.effective_people(people([role()], [LINE]), before, AT)
    assert times(now.people[0].roles) == [("", "03-01"), ("06-01", "")]
    later = effective_times.effective_people(people([role()], [LINE]), now, AT.replace(month=8))
    assert times(later.people[0].roles) == [("", "03-01"), ("06-01", "")]


def test_who_was_a_demo_identity_begins_anew() -> None:
    now = effective_times.effective_people(people(["r"], [LINE]), people(["r"], [LINE], demo=True), AT)
    assert times(now.people[0].roles) == times(now.people[0].keys) == [("06-01", "")]
    assert (
        effective_times.effective_people(people(["r"], [LINE], demo=True), people(["r"], [LINE]), AT)
        .people[0]
        .roles[0]
        .is_valid(AT)
    )


def test_machines_are_as_people() -> None:
    before = people(["r"], [LINE])
    said = People.model_validate(before.model_dump() | {"machines": {"gate": {"keys": [OTHER, _third()]}}})
    assert times(effective_times.effective_people(said, before, AT).keys_of_machine("gate")) == [
        ("", ""),
        ("06-01", ""),
    ]


def _third() -> str:
    return keys.make_public_line(keys.Ed25519PrivateKey.generate())


@pytest.mark.parametrize(
    ("roles", "those", "told"),
    [(["x", role()], [key("", "05-01")], "every key that ada"), ([role("", "05-01")], [LINE], "every role that ada")],
)
def test_nobody_is_added_with_what_never_counts(roles: Given, those: Given, told: str) -> None:
    before = People.model_validate({"people": [{"id": "bob", "name": "Bob", "roles": ["r"]}]})
    with pytest.raises(Refused, match=told):
        effective_times.effective_people(people(roles, those), before, AT)
