"""Back to an earlier champion: by everybody whom the release gate asks, or at once by breaking the glass."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tasks.core.errors import InputError, Refused
from tasks.incidents import incidents, signed_incident
from tasks.incidents.incidents import Incident
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy import governance
from tasks.registry.promote import emergency_rollback, intents, promotion, recovery, rollback_orders, waivers
from tasks.registry.release import promotions
from tasks.registry.release.promotions import SignedPromotion
from tasks.trust import dsse, keys
from tests.asking_agent import AskingAgent, needs_ssh_agent
from tests.in_process import hallmark
from tests.registry.house import NAME, PEOPLE, POLICY, House, adopt

STRICT = POLICY.replace("decisions: [{role: risk}]", "decisions: [{role: risk}, {role: approver, count: 2}]").replace(
    "  low:\n", "  low:\n    break_glass: {role: on-call, confirm_role: risk, confirm_hours: 4}\n"
)
CROWD = (
    PEOPLE
    + """\
  - {id: second, name: Second risk officer, roles: [risk, approver]}
  - {id: one, name: Approver one, roles: [approver]}
  - {id: two, name: Approver two, roles: [approver]}
  - {id: night, name: Night shift, roles: [on-call, risk]}
"""
)


def strict(house: House) -> House:
    """The house where three people in two roles decide at the release gate, and the night shift may break the glass."""
    (house.governance.folder / "policy.yaml").write_text(STRICT.replace("ENVIRONMENT", "local"))
    (house.governance.folder / "people.yaml").write_text(CROWD)
    loaded = governance.load_governance(house.governance.folder, house.state)
    governance.create_vault_and_keys(house.state, loaded.people)
    return House(house.root, loaded, house.ledger)


@pytest.fixture
def crowd(succeeded: House) -> House:
    """`succeeded`, where it takes a crowd to go back."""
    return strict(succeeded)


def order(house: House, person: str, label: str = "triage-1", **more: object) -> list[str]:
    return promotion.rollback(house.ledger, house.governance, label, person, "worse", **more).waiting_for


def newest(house: House) -> SignedPromotion:
    found = promotions.read_promotions(house.ledger, house.governance, NAME).newest_statement
    assert found is not None
    return found


def opened(house: House) -> list[Incident]:
    return incidents.read_all(house.ledger, house.governance)


def waived(house: House) -> datetime:
    """Have run-1 pass its evaluation gate on a waiver alone, and then the others; return when the waiver expires."""
    until = house.ledger.now() + timedelta(days=1)
    house.ready_waived("run-1", until)
    return until


def later(when: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ledger, "now", lambda _: when + timedelta(seconds=1))


def test_a_rollback_takes_everybody_whom_the_release_gate_asks(crowd: House) -> None:
    assert order(crowd, "risk-officer") == ["2 more orders in role approver"]
    assert order(crowd, "one") == ["1 more order in role approver"]
    assert order(crowd, "one") == ["1 more order in role approver"], "said twice is said once"
    assert len(crowd.ledger.entries(rollback_orders.ORDER_ENTRY_KIND)) == 2
    assert crowd.served() == b"second"
    assert order(crowd, "two") == []
    assert crowd.served() == b"adapter"
    entry = newest(crowd).entry
    assert entry is not None
    joined = [dsse.envelope_digest(envelope) for envelope in entry.body["joined"]]
    last = dsse.unverified_statement(entry.body["order"])["predicate"]
    assert len(joined) == 2 and sorted(joined) == last["joins"] and last["person"] == "two"
    assert newest(crowd).promotion.order_sha256 == dsse.envelope_digest(entry.body["order"])


def test_whoever_orders_is_told_the_entry_of_their_order(crowd: House) -> None:
    def entry(person: str) -> int:
        return promotion.rollback(crowd.ledger, crowd.governance, "triage-1", person, "worse").entry

    first, second = entry("risk-officer"), entry("one")
    assert entry("risk-officer") == first
    assert [each.seq for each in crowd.ledger.entries(rollback_orders.ORDER_ENTRY_KIND)] == [first, second]
    assert entry("two") == crowd.ledger.entries(promotions.PROMOTION_KIND)[-1].seq


def test_a_demo_release_gives_way_to_one_that_people_decided(house: House) -> None:
    house.release("run-1")
    house.release("run-2", b"demo", demo=True)
    assert house.served() == b"demo"
    assert order(house, "risk-officer") == []
    assert house.served() == b"adapter"


@pytest.mark.attack(rights="approver", stopped="one role a person")
def test_one_person_orders_in_one_role_and_says_which(crowd: House) -> None:
    with pytest.raises(InputError, match="second holds risk and approver; say in which --role"):
        order(crowd, "second")
    assert order(crowd, "second", role="risk") == ["2 more orders in role approver"]
    with pytest.raises(Refused, match="second has ordered it in role risk already"):
        order(crowd, "second", role="approver")
    assert order(crowd, "one") == ["1 more order in role approver"]


@pytest.mark.attack(rights="approver", stopped="an order names the promotion that it follows")
def test_orders_count_no_more_once_another_release_is_promoted(crowd: House) -> None:
    order(crowd, "risk-officer")
    order(crowd, "one")
    order(crowd, "night", break_glass=True)
    order(crowd, "night", "triage-2", break_glass=True)
    assert order(crowd, "two") == ["1 more order in role risk", "1 more order in role approver"]
    assert crowd.served() == b"second"


@pytest.mark.attack(rights="database", stopped="the person's signature over the whole order")
@pytest.mark.parametrize("change", ["release", "follows", "person", "environment"])
def test_an_order_that_says_something_else_or_is_written_anew_joins_nothing(crowd: House, change: str) -> None:
    order(crowd, "risk-officer")
    (genuine,) = crowd.ledger.entries(rollback_orders.ORDER_ENTRY_KIND)
    statement = dsse.unverified_statement(genuine.body["envelope"])
    forged = statement | {"predicate": statement["predicate"] | {change: "0" * 64, "role": "approver"}}
    for envelope in (
        dsse.sign_statement(forged, crowd.governance.find_signer("gate")),
        genuine.body["envelope"],
        {},
        None,
    ):
        crowd.ledger.append(rollback_orders.ORDER_ENTRY_KIND, NAME, {"envelope": envelope})
    assert order(crowd, "one") == ["1 more order in role approver"]


def test_the_commands_of_an_emergency_say_who_has_to_do_what(crowd: House) -> None:
    adopt(crowd.governance.folder, crowd.state, crowd.ledger, "risk-officer")
    root, why = crowd.checkout(), ("--reason", "worse")
    said = hallmark(root, "releases", "rollback", "triage-1", "--as", "night", "--break-glass", *why)
    assert "triage-1 is champion again" in said
    assert "a second person has to confirm it: hallmark releases confirm triage-1 --as ID" in said
    said = hallmark(root, "releases", "confirm", "triage-1", "--as", "risk-officer", *why)
    (incident,) = opened(crowd)
    assert re.fullmatch(rf"confirmed: entry \d+ of the ledger closes {incident.id}\n", said)


@pytest.mark.attack(rights="approver", stopped="of several open emergencies each is confirmed by its own name")
def test_a_confirmation_that_is_typed_twice_confirms_nothing_else(crowd: House) -> None:
    adopt(crowd.governance.folder, crowd.state, crowd.ledger, "risk-officer")
    root, why = crowd.checkout(), ("--reason", "worse")
    for label in ("triage-1", "triage-2", "triage-1"):
        hallmark(root, "releases", "rollback", label, "--as", "night", "--break-glass", *why)
    first, _, newest = opened(crowd)
    confirm, close = ("releases", "confirm", "triage-1"), ("incidents", "close", newest.id)
    for _ in range(2):
        told = hallmark(root, *confirm, "--as", "risk-officer", *why, code=1)
        assert f"hallmark incidents close {first.id} --as ID" in told
        assert all(each.state == "open" for each in opened(crowd) if each.id != newest.id)
        if newest.id in told:
            hallmark(root, *close, "--as", "risk-officer", *why)
    assert [each.state for each in opened(crowd)] == ["open", "open", "closed"]


@pytest.mark.attack(rights="approver", stopped="nobody confirms their own deed")
def test_breaking_the_glass_takes_one_and_a_second_confirms_it(crowd: House) -> None:
    assert order(crowd, "night", break_glass=True) == []
    assert crowd.served() == b"adapter"
    (one,) = opened(crowd)
    made = newest(crowd)
    assert (one.opening.what, one.opening.about, one.opening.by) == ("break-glass", "triage-1", "night")
    assert one.state == "open"
    assert made.promotion.reason == "glass broken: worse" and made.promotion.action == "rollback"
    person = crowd.governance.people.get("night")
    signed = crowd.governance.verify_signature(one.entry.body["order"], person, one.entry.time)["predicate"]
    assert signed["break_glass"] and dsse.envelope_digest(one.entry.body["order"]) == made.promotion.order_sha256

    with pytest.raises(Refused, match="it was their own deed"):
        emergency_rollback.confirm_rollback(crowd.ledger, crowd.governance, "triage-1", "night", "fine")
    with pytest.raises(Refused, match="it takes role risk"):
        emergency_rollback.confirm_rollback(crowd.ledger, crowd.governance, "triage-1", "one", "fine")
    emergency_rollback.confirm_rollback(crowd.ledger, crowd.governance, "triage-1", "risk-officer", "fine")
    assert [one.state for one in opened(crowd)] == ["closed"]
    with pytest.raises(Refused, match="was closed by risk-officer: fine"):
        emergency_rollback.confirm_rollback(crowd.ledger, crowd.governance, "triage-1", "second", "fine")


def test_unconfirmed_in_time_it_escalates_and_serving_goes_on(crowd: House, monkeypatch: pytest.MonkeyPatch) -> None:
    order(crowd, "night", break_glass=True)
    (one,) = opened(crowd)
    assert incidents.escalate_overdue_incidents(crowd.ledger, crowd.governance) == []
    later(one.opening.answer_by, monkeypatch)
    assert one.opening.answer_by - one.entry.time < timedelta(hours=4, seconds=5)
    assert len(incidents.escalate_overdue_incidents(crowd.ledger, crowd.governance)) == 1
    (one,) = opened(crowd)
    assert (one.state, one.severity) == ("escalated", "critical")
    assert crowd.served() == b"adapter"
    emergency_rollback.confirm_rollback(crowd.ledger, crowd.governance, "triage-1", "risk-officer", "late, but right")
    assert opened(crowd)[0].state == "closed"


ON_CALL = "may not break the glass in risk tier low: it takes role on-call"
BY_POLICY = pytest.mark.attack(rights="approver", stopped="policy names who may break the glass")


@pytest.mark.parametrize(
    ("person", "label", "match"),
    [
        pytest.param("one", "triage-1", ON_CALL, id="who holds another role", marks=BY_POLICY),
        ("night", "triage-2", "champion already"),
        pytest.param("demo-risk", "triage-1", ON_CALL, id="a demo identity", marks=BY_POLICY),
    ],
)
def test_who_may_not_break_the_glass(crowd: House, person: str, label: str, match: str) -> None:
    with pytest.raises(Refused, match=match):
        order(crowd, person, label, break_glass=True)
    assert crowd.served() == b"second" and opened(crowd) == []


@pytest.mark.attack(rights="approver", stopped="without a rule in policy nobody may")
def test_without_a_rule_nobody_breaks_it_and_unbroken_nobody_confirms(succeeded: House) -> None:
    with pytest.raises(Refused, match="policy lets nobody break the glass in risk tier low"):
        order(succeeded, "risk-officer", break_glass=True)
    with pytest.raises(InputError, match="there was no emergency rollback to 'triage-1'"):
        emergency_rollback.confirm_rollback(succeeded.ledger, succeeded.governance, "triage-1", "risk-officer", "fine")


def test_a_crash_between_the_statement_and_its_incident_leaves_neither(
    crowd: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(signed_incident, "sign_with_gate_key", dies)
    with pytest.raises(KeyboardInterrupt):
        order(crowd, "night", break_glass=True)
    assert crowd.served() == b"second" and newest(crowd).promotion.label == "triage-2"


def test_a_waiver_of_the_champion_that_expires_raises_one_incident_and_serving_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = waived(house)
    house.promote(house.run("run-1"))
    assert waivers.open_incidents(NAME, house.ledger, house.governance) == []
    later(until, monkeypatch)
    raised = waivers.open_incidents(NAME, house.ledger, house.governance)
    assert len(raised) == len(opened(house)) == 2, "one a check: `good enough` and the success metric"
    assert waivers.open_incidents(NAME, house.ledger, house.governance) == []
    assert {one.opening.role for one in opened(house)} == {"risk"}
    assert "check 'good enough' at the evaluation gate expired on" in opened(house)[0].opening.text
    assert house.served() == b"adapter"
    incidents.close_incident(house.ledger, house.governance, opened(house)[0].id, "risk-officer", "may stay until May")
    assert waivers.open_incidents(NAME, house.ledger, house.governance) == [], "closed, it is not raised again"


@pytest.mark.attack(rights="approver", stopped="waivers are judged as of the rollback")
def test_to_what_relies_on_an_expired_waiver_leads_broken_glass_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = waived(house)
    house.promote(house.run("run-1"))
    house.release("run-2", b"worse")
    later(until, monkeypatch)
    with pytest.raises(Refused, match=r"triage-1 relies on what counts no more: the waiver .* --break-glass"):
        order(house, "risk-officer")
    assert waivers.open_incidents(NAME, house.ledger, house.governance) == [], "it is not the champion"
    house = strict(house)
    assert order(house, "night", break_glass=True) == []
    assert house.served() == b"adapter"
    assert "The waiver of check 'good enough'" in opened(house)[0].opening.text


@pytest.mark.attack(rights="approver", stopped="waivers are judged again when the promotion is recorded")
def test_a_waiver_that_expires_while_the_release_is_built_stops_the_promotion(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = waived(house)
    make = recovery.record_promotion

    def late(signed: SignedPromotion, *rest: object) -> None:
        later(until, monkeypatch)
        make(signed, *rest)

    monkeypatch.setattr(recovery, "record_promotion", late)
    with pytest.raises(Refused, match=r"triage-1 is not promoted: the waiver of check .* expired on"):
        house.promote(house.run("run-1"))
    assert promotions.read_promotions(house.ledger, house.governance, NAME).newest_statement is None
    assert not Path(house.bundle()).exists()


@needs_ssh_agent
@pytest.mark.parametrize("person", ["risk-officer", "night"])
def test_others_write_while_an_agent_asks_its_owner_about_an_order(
    succeeded: House, agent: AskingAgent, person: str
) -> None:
    """An ordinary one, and one that breaks the glass."""
    house, glass_broken = strict(succeeded), person == "night"
    with ThreadPoolExecutor(1) as pool:
        agent.take(house.state / "keys" / person)
        ordering = pool.submit(order, house, person, break_glass=glass_broken)
        agent.asked()
        between = open_ledger(house.state).append("a.b", "another", {})
        assert not ordering.done()
        agent.answer("yes")
        wanted = ordering.result()
    assert house.ledger.last_seq() > between.seq and bool(wanted) != glass_broken
    assert newest(house).promotion.label == ("triage-1" if glass_broken else "triage-2")


def in_force_strict(house: House) -> House:
    """`strict`, adopted: what a command reads is what is in force."""
    strict(house)
    house.adopt(lambda policy: policy)
    return house


@needs_ssh_agent
@pytest.mark.attack(rights="approver", stopped="what is recorded is checked with what is in force then")
@pytest.mark.parametrize("person", ["one", "night"])
def test_who_is_taken_off_while_they_sign_an_order_goes_nowhere(
    succeeded: House, agent: AskingAgent, person: str
) -> None:
    """The gate countersigns what comes of it, so that it would count for good."""
    house, glass_broken = in_force_strict(succeeded), person == "night"
    read = House(house.root, house.governance, house.ledger)
    if not glass_broken:
        order(read, "risk-officer")
        order(read, "two")
    with ThreadPoolExecutor(1) as pool:
        agent.take(house.state / "keys" / person)
        ordering = pool.submit(order, read, person, break_glass=glass_broken)
        agent.asked()
        other = keys.make_public_line(Ed25519PrivateKey.generate())
        house.adopt(lambda told: told.replace(f"id: {person},", f"id: {person}, keys: ['{other}'],"), "people.yaml")
        last = house.ledger.last_seq()
        agent.answer("yes")
        with pytest.raises(Refused, match="has changed while it was being signed"):
            ordering.result()
    assert house.ledger.last_seq() == last and house.served() == b"second"


@needs_ssh_agent
def test_others_promote_while_somebody_signs_an_order_and_it_follows_what_they_made_no_more(
    succeeded: House, agent: AskingAgent
) -> None:
    layout = succeeded.ready("run-3", b"better")
    with ThreadPoolExecutor(1) as pool:
        agent.take(succeeded.state / "keys" / "risk-officer")
        ordering = pool.submit(order, succeeded, "risk-officer")
        agent.asked()
        with intents.try_lock(succeeded.state) as mine:
            assert mine, "a promotion would wait for who signs"
        succeeded.promote(layout)
        assert not ordering.done()
        agent.answer("yes")
        with pytest.raises(Refused, match="has changed while it was being signed"):
            ordering.result()
    assert succeeded.served() == b"better"
