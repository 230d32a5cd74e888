"""Who asked for a run is proven by a signature: requests that are forged, replayed, changed, stale or doubled."""

from datetime import timedelta

import pytest

from tasks.core.errors import InputError, Refused
from tasks.gates import signed_request
from tasks.gates.evidence import Evidence
from tasks.policy.people import Person
from tasks.policy.tier import SCHEDULER
from tasks.trust import dsse
from tests.gates.test_attacks import plant
from tests.governed.house import POLICY, House, raw, reload, request


def sign(house: House, by: str, key: str, **more: object) -> dict:
    return signed_request.sign_request(request("run-1", by, False, house.ledger.now(), **more), house.key(key))


def test_a_request_is_on_the_ledger_once_and_read_back(house: House) -> None:
    envelope = house.sign_request()
    first = signed_request.record_request(house.ledger, house.governance, envelope)
    assert signed_request.record_request(house.ledger, house.governance, envelope) == first
    assert signed_request.request_for_run(house.ledger, house.governance, "run-1") == first
    [entry] = house.ledger.entries(signed_request.ENTRY_KIND)
    assert (entry.subject, entry.body) == ("run-1", {"envelope": envelope})


@pytest.mark.attack(rights="worker", stopped="the requester's signature")
@pytest.mark.parametrize(
    ("by", "key", "why"),
    [
        ("asker", "owner", "is signed by SHA256:"),
        (SCHEDULER, "owner", "is signed by SHA256:"),
        ("owner", SCHEDULER, "is signed by SHA256:"),
        ("nobody", "owner", "nobody is not in people.yaml"),
    ],
    ids=["a person's", "the scheduler's", "a person's, with the scheduler's key", "somebody's who is not there"],
)
def test_nobody_asks_in_anothers_name(house: House, by: str, key: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        signed_request.record_request(house.ledger, house.governance, sign(house, by, key))
    assert not house.ledger.entries(signed_request.ENTRY_KIND)


def test_a_run_is_asked_for_once(house: House) -> None:
    house.request("run-1", by="asker")
    for again in (house.sign_request("run-1", by="owner"), house.sign_request("run-1", changes={"data.seed": "2"})):
        with pytest.raises(Refused, match="run run-1 was asked for already, by asker"):
            signed_request.record_request(house.ledger, house.governance, again)


@pytest.mark.attack(rights="database", stopped="the requester's signature names the run")
def test_what_was_signed_cannot_be_changed_or_used_for_another_run(house: House) -> None:
    envelope = house.sign_request()
    for change in ({"run_id": "run-2"}, {"changes": {"data.seed": "2"}}, {"demo_approvals": True}):
        statement = dsse.unverified_statement(envelope)
        statement["predicate"] |= change
        forged = envelope | {"payload": dsse.sign_statement(statement, house.key("owner"))["payload"]}
        with pytest.raises(Refused, match="signature does not match"):
            signed_request.record_request(house.ledger, house.governance, forged)
    house.ledger.append(signed_request.ENTRY_KIND, "run-2", {"envelope": envelope})
    assert signed_request.request_for_run(house.ledger, house.governance, "run-2") is None
    statement = dsse.unverified_statement(envelope)
    statement["subject"][0]["name"] = "run/run-3"
    with pytest.raises(Refused, match="the statement's subject is not the run"):
        signed_request.record_request(
            house.ledger, house.governance, dsse.sign_statement(statement, house.key("asker"))
        )


@pytest.mark.attack(rights="database", stopped="what a statement is, is part of what is signed")
def test_another_statement_of_the_same_person_is_no_request(house: House) -> None:
    decision = house.decide(house.ask(), "owner").body["envelope"]
    with pytest.raises(Refused, match="is a urn:hallmark:gate-decision:v1, not a request"):
        signed_request.record_request(house.ledger, house.governance, decision)


@pytest.mark.attack(rights="worker", stopped="the ledger's time of the request")
@pytest.mark.parametrize(
    ("age", "why"),
    [(timedelta(days=7, minutes=1), "counts for 7 days; ask anew"), (-timedelta(minutes=11), "set the clock right")],
    ids=["a week old", "dated ahead"],
)
def test_a_request_begins_a_run_only_while_it_is_fresh(house: House, age: timedelta, why: str) -> None:
    stale = signed_request.sign_request(request("run-1", "asker", False, house.ledger.now() - age), house.key("asker"))
    with pytest.raises(Refused, match=why):
        signed_request.record_request(house.ledger, house.governance, stale)


def test_a_run_that_began_goes_on_however_long_it_takes(house: House) -> None:
    envelope = house.sign_request()
    signed_request.record_request(house.ledger, house.governance, envelope)
    long_ago = "2020-01-01T00:00:00.000000Z"
    raw(house, f"UPDATE hallmark_ledger SET time = '{long_ago}' WHERE kind = 'run.requested'")
    assert signed_request.record_request(house.ledger, house.governance, envelope).envelope == envelope


@pytest.mark.attack(rights="database", stopped="the first request that verifies counts")
def test_a_request_planted_beside_the_real_one_changes_nothing(house: House) -> None:
    """By the database's owner, before and after; also one that its person really signed."""
    house.ledger.append(signed_request.ENTRY_KIND, "run-1", {"envelope": sign(house, "asker", "owner")})
    house.ledger.append(signed_request.ENTRY_KIND, "run-1", {"envelope": 7})
    real = house.request("run-1", by="asker")
    asked = house.ask()
    house.ledger.append(signed_request.ENTRY_KIND, "run-1", {"envelope": house.sign_request("run-1", by="owner")})
    assert signed_request.require_request(house.ledger, house.governance, "run-1") == real
    with pytest.raises(Refused, match="asker asked for run run-1"):
        house.decide(asked, "asker", role="data-owner")


@pytest.mark.attack(rights="database", stopped="evidence must name the signed request")
def test_evidence_that_names_another_requester_than_signed_is_not_judged(house: House) -> None:
    """By whoever can write to the ledger, so that the real one may decide."""
    real = house.collect(by="owner")
    for change in ({"requested_by": "lead"}, {"demo": True}, {"request_sha256": "0" * 64}):
        forged = house.ask_again(real.model_copy(update=change))
        with pytest.raises(Refused, match="names another requester of run run-1 than signed"):
            house.judge(forged)
        raw(
            house,
            "DELETE FROM hallmark_ledger WHERE kind = 'gate.asked'",
            "DELETE FROM hallmark_ledger_attached WHERE seq NOT IN (SELECT seq FROM hallmark_ledger)",
            "DELETE FROM hallmark_ledger_open",
        )


@pytest.mark.attack(rights="database", stopped="without a signed request no gate is judged")
def test_evidence_of_a_run_that_nobody_asked_for_is_not_judged(house: House, asked: Evidence) -> None:
    raw(house, "UPDATE hallmark_ledger SET kind = 'run.elsewhere' WHERE kind = 'run.requested'")
    with pytest.raises(Refused, match="holds no request for run run-1 that verifies"):
        house.judge(asked)


@pytest.mark.attack(rights="database", stopped="evidence must name the signed request")
def test_a_decision_on_ones_own_run_does_not_carry_over_under_a_forged_requester(house: House) -> None:
    """The earlier run's evidence says that somebody else asked for it, and its owner approved that."""
    mine = house.collect(run="run-1", by="owner").model_copy(update={"requested_by": "lead"})
    plant(house, house.ask_again(mine), "owner")
    later = house.ask(run="run-2")
    assert house.judge(later).state == "waiting"
    assert "names another requester of run run-1 than signed" in house.why_not(later)


def test_the_scheduler_is_nobody_and_decides_nothing(house: House) -> None:
    reload(house, POLICY.replace("  low:\n", "  low:\n    scheduler: true\n"))
    asked = house.ask(by=SCHEDULER)
    assert asked.requested_by == SCHEDULER
    with pytest.raises(InputError, match="'scheduler' is nobody in people"):
        house.decide(asked, SCHEDULER)
    house.decide(asked, "owner")
    assert house.judge(asked).state == "passed"
    with pytest.raises(ValueError, match="name of a machine's key"):
        Person(id=SCHEDULER, name="A person", roles=["data-owner"])


@pytest.mark.attack(rights="database", stopped="a request names the environment that it was signed for")
@pytest.mark.parametrize("named", ["staging", None])
def test_a_request_counts_where_it_was_signed_for(house: House, named: str | None) -> None:
    with pytest.raises(Refused, match=rf"was signed for environment {named or 'none'}, and this is local; ask here"):
        signed_request.record_request(house.ledger, house.governance, sign(house, "asker", "asker", environment=named))


@pytest.mark.attack(rights="approver", stopped="who declares a schedule has asked for its runs")
def test_who_declared_a_schedule_decides_on_none_of_its_runs(house: House) -> None:
    """Whether they say so or not: the evidence is of the request that the scheduler signed."""
    reload(house, POLICY.replace("  low:\n", "  low:\n    scheduler: true\n"))
    envelope = sign(house, SCHEDULER, SCHEDULER, initiated_by=["owner"])
    recorded = signed_request.record_request(house.ledger, house.governance, envelope)
    asked = house.ask()
    assert asked.requester_text == "scheduler, as owner declared"
    with pytest.raises(Refused, match="owner asked for run run-1; nobody decides on their own run"):
        house.decide(asked, "owner")
    house.decide(asked, "both", role="data-owner")
    assert house.settle(asked).state == "passed"
    assert asked.is_for_request(recorded) and not asked.model_copy(update={"initiated_by": []}).is_for_request(recorded)


@pytest.mark.attack(rights="approver", stopped="who declares a schedule may ask for runs of its tier")
def test_a_schedule_asks_for_nothing_that_who_declared_it_may_not_ask_for(house: House) -> None:
    reload(house, POLICY.replace("  low:\n", "  low:\n    requesters: [engineer]\n    scheduler: true\n"))
    envelope = sign(house, SCHEDULER, SCHEDULER, initiated_by=["owner"])
    signed_request.record_request(house.ledger, house.governance, envelope)
    with pytest.raises(Refused, match=r"run run-1: .*owner"):
        house.settle(house.ask())
