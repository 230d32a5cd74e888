"""A decision that is signed apart from who records it: what comes back has to be what was asked, and the last word."""

from collections.abc import Callable
from typing import Any

import pytest

from tasks.core.errors import HallmarkError, Refused
from tasks.core.json_text import canonical_json
from tasks.gates import decisions
from tasks.gates.decisions import DecisionDraft
from tasks.ledger.ledger import Entry
from tasks.trust import dsse, keys
from tests.governed.house import House

APPROVE = DecisionDraft("approve", "looked at it")


def drawn(house: House, wish: DecisionDraft = APPROVE) -> dict[str, Any]:
    """The statement that `owner` is asked to sign."""
    (draft,) = decisions.prepare_decision(house.ledger, house.governance, house.ask(), "owner", wish, line(house))
    return draft.statement


def line(house: House) -> str:
    return keys.strip_comment(house.line("owner"))


def signed(house: House, statement: dict[str, Any], who: str = "owner") -> dict[str, Any]:
    return dsse.sign_statement(statement, house.key(who))


def take(house: House, envelope: dict[str, Any], wish: DecisionDraft = APPROVE) -> Entry:
    return decisions.record_signed_decision(
        house.ledger, house.governance, house.ask(), "owner", wish, envelope, line(house)
    )


def test_what_was_drawn_and_signed_elsewhere_counts(house: House) -> None:
    envelope = signed(house, drawn(house))
    entry = take(house, envelope)
    assert entry.body == {"envelope": envelope} and take(house, envelope) == entry, "twice is once"
    standing = house.judge(house.ask())
    assert standing.state == "passed" and isinstance(
        decisions.prepare_decision(house.ledger, house.governance, house.ask(), "owner", APPROVE, line(house)), Entry
    )


@pytest.mark.attack(rights="approver", stopped="a signature that is none is told as such, whatever is on record")
def test_a_signature_that_is_none_is_told_as_such_whatever_is_on_record(house: House) -> None:
    statement = drawn(house)
    take(house, signed(house, statement))
    for rubbish in (signed(house, statement, "both"), signed(house, statement) | {"signatures": []}):
        with pytest.raises(Refused):
            take(house, rubbish)


def other(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda statement: statement["predicate"].__setitem__(key, value)


CHANGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "another verdict": other("verb", "reject"),
    "another reason": other("reason", "did not look"),
    "another person": other("person", "both"),
    "another role": other("role", "risk"),
    "another run": other("run", "run-2"),
    "a number for a truth": other("demo", 0),
    "one field more": other("more", 1),
    "a time of yesterday": other("time", "2020-01-01T00:00:00Z"),
    "a time to come": other("time", "2999-01-01T00:00:00Z"),
    "a week for a date": other("time", "2026-W48-5T11:00:00Z"),
    "an hour for a time": other("time", "2026-11-27T11Z"),
    "no time": other("time", None),
    "another subject": lambda statement: statement["subject"].pop(),
}


@pytest.mark.attack(rights="approver", stopped="what was signed elsewhere is what is asked, but for its time")
@pytest.mark.parametrize("change", list(CHANGES))
def test_what_was_changed_before_it_was_signed_is_not_recorded(house: House, change: str) -> None:
    statement = drawn(house)
    CHANGES[change](statement)
    before = house.ledger.last_seq()
    with pytest.raises(HallmarkError):
        take(house, signed(house, statement))
    assert house.ledger.last_seq() == before


def test_anothers_signature_is_not_recorded(house: House) -> None:
    statement = drawn(house)
    forged = dsse.make_unverified_envelope(canonical_json(statement), line(house), b"x" * 64)
    for envelope in (signed(house, statement, "both"), forged):
        with pytest.raises(Refused):
            take(house, envelope)


@pytest.mark.attack(rights="visitor", stopped="who kept a signature back has not the last word")
def test_a_signature_that_was_kept_back_has_not_the_last_word(house: House) -> None:
    kept = signed(house, drawn(house))
    take(house, signed(house, drawn(house)))
    withdraw = DecisionDraft("withdraw", "looked at the wrong run")
    take(house, signed(house, drawn(house, withdraw)), withdraw)
    with pytest.raises(Refused, match="owner has said something else here since this was signed"):
        take(house, kept)
    standing = house.judge(house.ask())
    assert standing.state == "waiting"
    take(house, signed(house, drawn(house)))
