"""Incidents open once a cause, escalate once, and are closed by who owns them; what is not signed does nothing."""

from datetime import timedelta

import pytest

from tasks.core.errors import InputError, Refused
from tasks.incidents import incidents
from tasks.incidents.incidents import Incident
from tasks.ledger.ledger import Entry
from tests.governed.house import PEOPLE, House, reload

FACTS = {"release": "triage-1", "check": "good enough"}
CLOSED_BY = pytest.mark.attack(rights="approver", stopped="the role that owns an incident closes it, never its doer")


def opened(house: House, **changes: object) -> Entry | None:
    given = {"kind": "waiver-expired", "subject": "triage-1", "facts": FACTS, "severity": "major", "role": "risk",
             "text": "a waiver expired"} | changes  # fmt: skip
    return incidents.open_incident_if_new(house.ledger, house.governance, **given)


def the_one(house: House) -> Incident:
    (one,) = incidents.read_all(house.ledger, house.governance)
    return one


def close(house: House, person: str, reason: str = "looked into") -> Entry:
    return incidents.close_incident(house.ledger, house.governance, the_one(house).id, person, reason)


def test_a_cause_opens_one_incident_and_another_cause_another(house: House) -> None:
    first = opened(house)
    assert first is not None and opened(house) is None
    assert opened(house, facts=FACTS | {"check": "fast"}) is not None
    assert next(one.entry for one in incidents.read_all(house.ledger, house.governance)) == first


def test_who_owns_it_closes_it_and_it_stays_closed(house: House) -> None:
    opened(house)
    entry = close(house, "risk-one")
    assert the_one(house).state == "closed" and the_one(house).closing.reason == "looked into"
    assert opened(house) is None, "the same cause opens nothing more"
    with pytest.raises(Refused, match="was closed by risk-one: looked into"):
        close(house, "both")
    assert house.ledger.entries("incident.closed") == [entry]


def test_a_cause_that_recurs_opens_another_once_the_first_is_closed(house: House) -> None:
    opened(house, recurs=True)
    assert opened(house, recurs=True) is None
    close(house, "risk-one")
    again = opened(house, recurs=True)
    assert again is not None and again.subject.endswith("-2")


@pytest.mark.parametrize(
    ("person", "reason", "error", "message"),
    [
        pytest.param("owner", "done", Refused, "it takes role risk", id="in another role", marks=CLOSED_BY),
        pytest.param("both", "done", Refused, "it was their own deed", id="whose own deed it was", marks=CLOSED_BY),
        pytest.param("gone", "done", Refused, "gone", id="who holds no role any more", marks=CLOSED_BY),
        ("stranger", "done", InputError, "nobody in people.yaml"),
        ("risk-one", "\u2800", InputError, "say in words"),
    ],
)
def test_who_may_not_close_it(house: House, person: str, reason: str, error: type, message: str) -> None:
    opened(house, caused_by="both")
    with pytest.raises(error, match=message):
        close(house, person, reason)
    assert the_one(house).state == "open"


def test_it_escalates_once_when_nobody_answers_in_time(house: House) -> None:
    opened(house, escalates_at=house.ledger.now() + timedelta(hours=1))
    assert incidents.escalate_overdue_incidents(house.ledger, house.governance) == []
    opened(house, facts={}, escalates_at=house.ledger.now() - timedelta(seconds=1))
    (entry,) = incidents.escalate_overdue_incidents(house.ledger, house.governance)
    assert incidents.escalate_overdue_incidents(house.ledger, house.governance) == []
    late = incidents.get_incident(house.ledger, house.governance, entry.subject)
    assert (late.state, late.severity) == ("escalated", "critical")
    house.ledger.append(entry.kind, entry.subject, {"envelope": {}})  # nobody signed it, so it takes nothing back
    assert incidents.get_incident(house.ledger, house.governance, late.id).state == "escalated"
    incidents.close_incident(house.ledger, house.governance, late.id, "risk-one", "late, but done")
    assert incidents.get_incident(house.ledger, house.governance, late.id).state == "closed"


@pytest.mark.attack(rights="database", stopped="the closing person's signature")
def test_a_closing_that_is_not_signed_by_who_may_leaves_it_open(house: House) -> None:
    opened(house)
    genuine = close(house, "risk-one").body["envelope"]
    for body in ({}, {"envelope": None}, {"envelope": genuine | {"payload": "e30="}}):
        house.ledger.append("incident.closed", "waiver-expired-000000000000", body)
    assert the_one(house).state == "closed"
    reload(house, people=PEOPLE.replace("roles: [risk]}", "roles: [ml-lead]}"))
    assert the_one(house).state == "open", "who signed holds the role no more"


@pytest.mark.attack(rights="database", stopped="a closing is signed for one incident")
def test_a_closing_or_opening_written_anew_for_another_incident_does_nothing(house: House) -> None:
    first = opened(house)
    closing = close(house, "risk-one").body
    second = opened(house, facts={"other": 1})
    house.ledger.append("incident.closed", second.subject, closing)
    house.ledger.append("incident.opened", "waiver-expired-forged", first.body)
    house.ledger.append("incident.opened", "waiver-expired-nothing", {"envelope": {}})
    found = {one.id: one.state for one in incidents.read_all(house.ledger, house.governance)}
    assert found == {first.subject: "closed", second.subject: "open"}
