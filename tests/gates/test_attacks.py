"""Somebody writes into the ledger past `decide`: what they write must not count, whatever it says.

They have the database (with its triggers dropped where that helps) and any envelope ever made, but not the private
keys of others. Removing rows is not covered here: without signed tree heads it does not show.
"""

import base64
import json
import sqlite3
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tasks.core.errors import InputError, Refused
from tasks.core.files import sha256_bytes
from tasks.core.json_text import canonical_json
from tasks.gates import cases, evidence, gates
from tasks.gates.evidence import Evidence
from tasks.gates.signed_decision import ENTRY_KIND, Decision, decision_statement
from tasks.ledger import attachments
from tasks.ledger.ledger import Entry
from tasks.trust import dsse, keys
from tests.governed.house import PEOPLE, House, put_result, raw, reload


def plant(house: House, about: Evidence, person: str, key: Ed25519PrivateKey | None = None, **changes: Any) -> Entry:
    """Append a decision that `decide` would not have made, signed with the person's own key unless another is given."""
    fields = {
        "verb": "approve",
        "person": person,
        "role": "data-owner",
        "run": about.run,
        "gate": about.gate,
        "policy_sha256": about.policy_sha256,
        "use_case": about.use_case,
        "tier": about.tier,
        "purpose_sha256": about.purpose_sha256,
        "demo": about.demo,
        "reason": "",
        "checks": [],
        "expires": None,
        "withdraws": [],
        "time": house.ledger.now(),
    }
    of = {"stage": about.subject.stage, "subject": about.subject.sha256, "evidence": evidence.evidence_digest(about)}
    of |= {name: changes.pop(name) for name in list(changes) if name in of}
    decision = Decision.model_validate(fields | changes)
    said = decision_statement(decision, of["stage"], of["subject"], of["evidence"])
    envelope = dsse.sign_statement(said, key or house.key(person))
    return house.ledger.append(ENTRY_KIND, about.subject.sha256, {"envelope": envelope})


def test_the_plant_itself_is_sound(house: House, asked: Evidence) -> None:
    """Otherwise the tests below would prove nothing."""
    plant(house, asked, "owner")
    assert house.judge(asked).state == "passed"


OTHER = "0" * 64


@pytest.mark.attack(rights="approver", stopped="policy's rules are applied again whenever a gate is judged")
@pytest.mark.parametrize(
    ("person", "changes", "why_not"),
    [
        ("gone", {}, "gone held no role on"),
        ("asker", {}, "asker asked for run run-1"),
        ("demo-owner", {}, "demo-owner is a demo identity"),
        ("demo-owner", {"demo": True}, "it was made on a demo run"),
        ("lead", {}, "lead did not hold role data-owner"),
        ("lead", {"role": "ml-lead"}, "gate data does not ask role ml-lead to approve"),
        ("both", {"role": "risk"}, "gate data does not ask role risk to approve"),
        ("owner", {"subject": OTHER}, "its evidence is about another output"),
        ("owner", {"stage": "package"}, "it is about another output"),
        ("owner", {"policy_sha256": OTHER}, "its evidence is about another output or policy"),
        ("owner", {"evidence": OTHER}, "it is about evidence that no gate has asked about"),
        ("owner", {"run": "run-9"}, "it is about evidence that no gate has asked about"),
        ("owner", {"gate": "release"}, "it is about gate release"),
        ("both", {"verb": "waive", "role": "risk", "checks": ["enough rows"], "reason": "x"}, "a waiver needs"),
        ("both", {"verb": "waive", "role": "risk", "expires": "2999-01-01T00:00:00Z", "reason": "x"}, "a waiver needs"),
    ],
    ids=[
        "by who holds no role any more", "by who asked for the run", "by a demo identity on a real run",
        "by a demo identity that calls the run a demo", "in a role that the person lacks",
        "in a role that the gate does not ask", "in their other role, which the gate does not ask",
        "for another output", "for another stage", "under another policy", "on other evidence", "of another run",
        "of another gate", "a waiver without end", "a waiver of nothing",
    ],
)  # fmt: skip
def test_a_decision_against_the_rules_does_not_count(house: House, person: str, changes: dict, why_not: str) -> None:
    asked = house.ask()
    plant(house, asked, person, **changes)
    assert house.judge(asked).state == "waiting"
    assert why_not in house.why_not(asked)


@pytest.mark.attack(rights="database", stopped="the person's signature")
@pytest.mark.parametrize("forger", ["asker", "both"])
def test_a_decision_signed_with_another_key_does_not_count(house: House, asked: Evidence, forger: str) -> None:
    plant(house, asked, "owner", house.key(forger))
    assert house.judge(asked).state == "waiting"
    assert "is signed by" in house.why_not(asked)


@pytest.mark.attack(rights="database", stopped="the person's signature")
def test_nor_under_a_false_key_id_nor_by_the_gates_own_key(house: House, asked: Evidence) -> None:
    envelope = plant(house, asked, "owner", house.key("gate")).body["envelope"]
    genuine = house.decide(house.ask(run="run-2"), "owner").body["envelope"]
    envelope["signatures"][0]["keyid"] = genuine["signatures"][0]["keyid"]
    house.ledger.append(ENTRY_KIND, asked.subject.sha256, {"envelope": envelope})
    assert "the signature does not match" in house.why_not(asked)


@pytest.mark.attack(rights="approver", stopped="only keys of people.yaml count")
def test_an_old_key_stops_counting_when_people_yaml_has_a_new_one(house: House, asked: Evidence) -> None:
    house.decide(asked, "owner")
    for file in ("owner", "owner.pub"):
        (house.state / "keys" / file).unlink()
    reload(house)
    keys.create_key_pair(house.state / "keys", "owner")
    assert house.judge(asked).state == "waiting"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"envelope": None},
        {"envelope": {}},
        {"envelope": {"payload": "", "payloadType": "", "signatures": []}},
        pytest.param(
            {"person": "owner", "verb": "approve", "counted": True},
            id="an approval that nobody signed",
            marks=pytest.mark.attack(rights="database", stopped="nothing unsigned in a row is believed"),
        ),
    ],
)
def test_rows_that_hold_no_decision_do_not_count_and_stop_nothing(house: House, asked: Evidence, body: dict) -> None:
    house.ledger.append(ENTRY_KIND, asked.subject.sha256, body)
    house.decide(asked, "owner")
    standing = house.judge(asked)
    assert standing.state == "passed"
    assert [d.counted for d in standing.decisions] == [False, True]


@pytest.mark.attack(rights="database", stopped="what a statement is, is part of what is signed")
def test_another_statement_signed_by_the_right_person_is_no_decision(house: House, asked: Evidence) -> None:
    envelope = house.decide(house.ask(run="run-2", by="both"), "owner").body["envelope"]
    payload = dsse.unverified_statement(envelope) | {"predicateType": "urn:hallmark:promotion:v1"}
    house.ledger.append(
        ENTRY_KIND, asked.subject.sha256, {"envelope": dsse.sign_statement(payload, house.key("owner"))}
    )
    assert "not a decision" in house.why_not(asked)


@pytest.mark.attack(rights="database", stopped="decisions bind to the evidence's digest, and each counts once")
class TestReplay:
    def test_of_an_evaluation_decision_from_another_run(self, house: House) -> None:
        envelope = house.decide(house.ask("evaluation", run="run-1"), "lead").body["envelope"]
        later = house.ask("evaluation", run="run-2")
        house.ledger.append(ENTRY_KIND, later.subject.sha256, {"envelope": envelope})
        assert "only data decisions carry over" in house.why_not(later)

    def test_at_another_gate(self, house: House) -> None:
        envelope = house.decide(house.ask(), "owner").body["envelope"]
        other = house.ask("release")
        house.ledger.append(ENTRY_KIND, other.subject.sha256, {"envelope": envelope})
        assert "it is about gate data" in house.why_not(other)

    def test_for_another_output(self, house: House) -> None:
        envelope = house.decide(house.ask(run="run-1"), "owner").body["envelope"]
        (house.layout.artefacts("split") / "train.txt").write_text("rowz")
        other = house.ask(run="run-2")
        house.ledger.append(ENTRY_KIND, other.subject.sha256, {"envelope": envelope})
        assert "it is about another output" in house.why_not(other)

    def test_of_an_approval_that_was_withdrawn(self, house: House, asked: Evidence) -> None:
        envelope = house.decide(asked, "owner").body["envelope"]
        house.decide(asked, "owner", "withdraw")
        house.ledger.append(ENTRY_KIND, asked.subject.sha256, {"envelope": envelope})
        assert house.judge(asked).state == "waiting"
        assert "withdrawn by entry" in house.why_not(asked)

    def test_twice_counts_once(self, house: House) -> None:
        asked = house.ask("evaluation")
        house.decide(asked, "lead")
        envelope = house.decide(asked, "risk-one").body["envelope"]
        house.ledger.append(ENTRY_KIND, asked.subject.sha256, {"envelope": envelope})
        plant(house, asked, "risk-one", role="risk", reason="other words")
        assert house.judge(asked).state == "waiting"
        assert "says the same as entry" in house.why_not(asked)

    def test_of_somebody_elses_withdrawal_takes_nothing_back(self, house: House, asked: Evidence) -> None:
        approval = house.decide(asked, "owner").body["envelope"]
        plant(house, asked, "both", verb="withdraw", role="", withdraws=[dsse.envelope_digest(approval)])
        assert house.judge(asked).state == "passed"


@pytest.mark.attack(rights="approver", stopped="the ledger's order: the gate had closed before")
def test_a_decision_after_the_gate_closed_changes_nothing(house: House, asked: Evidence) -> None:
    house.decide(asked, "owner")
    assert house.settle(asked).state == "passed"
    plant(house, asked, "both", verb="reject", role="risk", reason="too late")
    assert house.judge(asked).state == "passed"
    assert "(passed) and takes no more decisions" in house.why_not(asked)
    approval = house.ledger.entries(ENTRY_KIND)[0].body["envelope"]
    plant(house, asked, "owner", verb="withdraw", role="", withdraws=[dsse.envelope_digest(approval)])
    assert house.judge(asked).state == "passed"


@pytest.mark.attack(rights="approver", stopped="the ledger's order: the gate had closed before")
def test_nor_does_it_carry_over_to_a_later_run(house: House) -> None:
    first = house.ask(run="run-1")
    house.decide(first, "owner", "reject", "no")
    house.settle(first)
    plant(house, first, "both")
    later = house.ask(run="run-2")
    house.decide(later, "owner", "withdraw")
    standing = house.judge(later)
    assert standing.state == "waiting"
    assert "(rejected) and takes no more decisions" in standing.decisions[1].why_not


@pytest.mark.attack(rights="approver", stopped="the later of the ledger's and the signer's time")
def test_a_decision_after_the_deadline_does_not_count_however_it_is_dated(house: House, asked: Evidence) -> None:
    late = house.ledger.now() + timedelta(days=20)
    plant(house, asked, "owner", time=late)
    assert "the deadline of gate data passed on" in house.why_not(asked)


@pytest.mark.attack(rights="database", stopped="the later of the ledger's and the signer's time")
def test_a_row_dated_back_into_the_deadline_does_not_help_a_late_signature(house: House, asked: Evidence) -> None:
    late = plant(house, asked, "owner", time=house.ledger.now() + timedelta(days=20))
    raw(house, f"UPDATE hallmark_ledger SET time = '2020-01-01T00:00:00.000000Z' WHERE seq = {late.seq}")
    assert "the deadline of gate data passed on" in house.why_not(asked)


@pytest.mark.attack(rights="approver", stopped="nobody decides on their own run, there and here")
def test_a_data_decision_on_ones_own_run_does_not_carry_over_to_anothers(house: House) -> None:
    first = house.ask(run="run-1", by="owner")
    plant(house, first, "owner")
    later = house.ask(run="run-2")
    assert house.judge(later).state == "waiting"
    assert "owner asked for run run-1" in house.why_not(later)


@pytest.mark.attack(rights="approver", stopped="the signed request says that it was a demo run")
def test_a_data_decision_that_denies_its_demo_run_does_not_carry_over(house: House) -> None:
    plant(house, house.ask(run="run-1", demo=True), "owner", demo=False)
    real = house.ask(run="run-2")
    assert house.judge(real).state == "waiting"
    assert house.why_not(real) == "it was made on a demo run"


@pytest.mark.attack(rights="database", stopped="a gate is judged from the signatures, not from its closing")
def test_a_gate_closed_by_hand_as_passed_has_not_passed(house: House, asked: Evidence) -> None:
    body = {"gate": "data", "sha256": evidence.evidence_digest(asked), "state": "passed"}
    house.ledger.append(cases.CLOSED, asked.run, body)
    assert house.judge(asked).state == "failed"


def edit(house: House, seq: int, change: Any) -> None:
    """Rewrite the body of a row."""
    with sqlite3.connect(house.state / "ledger.db") as connection:
        body = json.loads(connection.execute("SELECT body FROM hallmark_ledger WHERE seq = ?", (seq,)).fetchone()[0])
    connection.close()
    change(body)
    spelled = canonical_json(body).decode().replace("'", "''")
    raw(house, f"UPDATE hallmark_ledger SET body = '{spelled}' WHERE seq = {seq}")


def attached_to(house: House, seq: int) -> list[bytes]:
    """What stands there, whatever the entry says."""
    with sqlite3.connect(house.state / "ledger.db") as connection:
        found = connection.execute("SELECT data FROM hallmark_ledger_attached WHERE seq = ?", (seq,)).fetchall()
    connection.close()
    return [attachments.decompress_document(data) for (data,) in found]


def exchange(house: House, seq: int, change: Any) -> None:
    """Attach something else to an entry."""
    body = json.loads(attached_to(house, seq)[0])
    change(body)
    data = attachments.compress_document(canonical_json(body)).hex()
    raw(house, f"UPDATE hallmark_ledger_attached SET data = X'{data}' WHERE seq = {seq}")


@pytest.mark.attack(rights="database", stopped="signatures and decisions bind to the evidence's digest")
class TestEditedRows:
    """By raw SQL, after the triggers were dropped."""

    def test_a_rejection_turned_into_an_approval(self, house: House, asked: Evidence) -> None:
        entry = house.decide(asked, "owner", "reject", "no")

        def turn(body: dict) -> None:
            payload = json.loads(base64.b64decode(body["envelope"]["payload"]))
            payload["predicate"]["verb"] = "approve"
            body["envelope"]["payload"] = base64.b64encode(canonical_json(payload)).decode()

        edit(house, entry.seq, turn)
        assert house.judge(asked).state == "waiting"
        assert "the signature does not match" in house.why_not(asked)

    def test_an_approval_moved_to_other_evidence_by_its_columns(self, house: House) -> None:
        other = house.ask("release")
        entry = house.decide(house.ask(), "owner")
        raw(house, f"UPDATE hallmark_ledger SET subject = '{other.subject.sha256}' WHERE seq = {entry.seq}")
        assert house.judge(other).state == "waiting"
        assert "it is about gate data" in house.why_not(other)

    def test_evidence_changed_after_it_was_approved(self, house: House) -> None:
        put_result(house.layout.artefacts("split"), train_rows=50)
        asked = house.ask()
        house.decide(asked, "owner")

        def improve(body: dict) -> None:
            body["facts"]["split.train_rows"]["value"] = 200.0
            body["checks"][0] |= {"value": 200.0, "verdict": "passed"}

        exchange(house, 2, improve)
        with pytest.raises(Refused, match="what is attached to entry 2 of the ledger was changed"):
            gates.open_evidence(house.ledger)
        (document,) = attached_to(house, 2)
        edit(house, 2, lambda body: body.update(attached=sha256_bytes(document)))
        with pytest.raises(Refused, match="is not the one on record"):
            house.judge(asked)
        [forged] = gates.open_evidence(house.ledger)
        assert forged.checks[0].verdict == "passed"
        assert house.judge(forged).state == "waiting"
        assert house.why_not(forged) == "it is about evidence that no gate has asked about"

    def test_evidence_moved_to_another_run_by_its_columns(self, house: House) -> None:
        house.ask(run="run-1")
        raw(house, "UPDATE hallmark_ledger SET subject = 'run-9' WHERE seq = 2")
        with pytest.raises(Refused, match="entry 2 of the ledger was changed: its evidence is of another run"):
            cases.read_cases(house.ledger, "run-9")

    def test_a_row_of_another_run_that_cannot_be_read_stops_only_that_run(self, house: House) -> None:
        first = house.ask(run="run-1")
        house.decide(first, "owner")
        later = house.ask(run="run-2")
        raw(house, "DELETE FROM hallmark_ledger_attached WHERE seq = 2")
        with pytest.raises(Refused, match="what is attached to entry 2 of the ledger is missing"):
            house.judge(first)
        edit(house, 2, lambda body: body.pop("attached"))
        with pytest.raises(Refused, match="entry 2 of the ledger was changed: nothing is attached to it"):
            house.judge(first)
        assert house.judge(later).state == "waiting"
        assert "entry 2 of the ledger was changed" in house.why_not(later)
        house.decide(later, "both", role="data-owner")
        assert house.judge(later).state == "passed"

    def test_what_the_entry_says_in_plain_words_is_what_is_attached(self, house: House, asked: Evidence) -> None:
        edit(house, 2, lambda body: body.update(requested_by="somebody-else"))
        with pytest.raises(Refused, match="entry 2 of the ledger was changed: its evidence does not match what it"):
            house.judge(asked)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e["checks"][0].update(verdict="passed"), "not those that policy and the use case ask"),
        (lambda e: e["checks"][0].update(at_least=1.0), "not those that policy and the use case ask"),
        (lambda e: e["checks"].pop(0), "not those that policy and the use case ask"),
        (lambda e: e["checks"].append(e["checks"][0]), "not those that policy and the use case ask"),
        (lambda e: e["asks"]["roles"].pop(), "other roles, owners, waivers or a deadline than policy asks"),
        (lambda e: e["asks"]["waive"].update(role="data-owner"), "other roles, owners, waivers or a deadline"),
        (lambda e: e["asks"]["waive"].update(max_days=365), "other roles, owners, waivers or a deadline"),
        (lambda e: e["asks"].update(deadline_days=365), "other roles, owners, waivers or a deadline than policy asks"),
        (lambda e: e.update(tier="experiment"), "has no gates"),
        (lambda e: e.update(policy_sha256=OTHER), "under another policy"),
    ],
)
def test_evidence_that_does_not_follow_from_policy_and_figures_is_refused(house: House, change, message) -> None:
    """Asked by somebody who can write the ledger, before the flow does."""
    put_result(house.layout.artefacts("split"), train_rows=50)
    fields = house.collect().model_dump(mode="json")
    change(fields)
    forged = gates.open_gate(house.ledger, Evidence.model_validate(fields))
    with pytest.raises((Refused, InputError), match=message):
        house.judge(forged)


def test_a_success_metric_that_lies_is_refused(house: House) -> None:
    put_result(house.layout.measurements("predict/candidate"), latency_p95_ms=901)
    fields = house.collect("evaluation").model_dump(mode="json")
    fields["checks"][-1]["verdict"] = "passed"
    forged = gates.open_gate(house.ledger, Evidence.model_validate(fields))
    with pytest.raises(Refused, match="not those that policy and the use case ask at gate evaluation"):
        house.judge(forged)


def test_a_person_who_had_left_or_was_without_the_role_does_not_count(house: House, asked: Evidence) -> None:
    house.decide(asked, "owner")
    reload(house, people=PEOPLE.replace("roles: [data-owner]}\n  - {id: both", "roles: [cook]}\n  - {id: both"))
    assert house.why_not(asked).startswith("owner did not hold role data-owner on")
    left = "roles: [{role: data-owner, valid_before: 2026-01-01}]}\n  - {id: both"
    reload(house, people=PEOPLE.replace("roles: [data-owner]}\n  - {id: both", left))
    assert house.why_not(asked).startswith("owner held no role on")
    reload(house, people=PEOPLE.replace("{id: owner,", "{id: owner-two,"))
    assert house.why_not(asked) == "owner is not in people.yaml"
