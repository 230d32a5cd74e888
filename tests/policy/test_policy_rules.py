"""The rules of policy.yaml beside checks and counts: each counts when a gate is judged, not only when it is signed."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tasks.core.errors import InputError, Refused
from tasks.gates import decisions, signed_request
from tasks.gates.evidence import Evidence
from tasks.policy import staffing
from tests.governed.datasets import dataset, origin, put
from tests.governed.house import PEOPLE, POLICY, House, put_result, reload, request

SEPARATE = POLICY.replace("  low:\n", "  low:\n    separation: {two_roles: false}\n")
SOLE = POLICY.replace("  low:\n", "  low:\n    separation: {sole_owner: risk}\n")


def in_days(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def require_against(told: str, house: House, asked: Evidence, person: str, verb: str = "approve", **more: Any) -> None:
    """Require that nobody is let sign it, and that it does not count if they have a key and code of their own."""
    with pytest.raises(Refused, match=told):
        house.decide(asked, person, verb, **more)
    with pytest.MonkeyPatch.context() as unguarded:
        unguarded.setattr(decisions, "_only_allowed", lambda claims: claims[0].decision)
        unguarded.setattr(decisions, "_require_one_role", lambda *_: None)
        house.decide(asked, person, verb, **more)
    assert told in house.why_not(asked)


@pytest.mark.attack(rights="approver", stopped="policy's longest waiver, applied when the gate is judged")
def test_a_waiver_lasts_no_longer_than_policy_allows(house: House) -> None:
    put_result(house.layout.artefacts("split"), train_rows=50)
    asked = house.ask()
    until = in_days(31)
    require_against("may last 30 days, until", house, asked, "both", "waive", checks=["enough rows"], expires=until)
    house.decide(asked, "both", "waive", checks=["enough rows"], expires=in_days(29))
    assert house.judge(asked).checks[0].holds


@pytest.mark.attack(rights="approver", stopped="policy names what may be waived")
def test_only_the_checks_that_policy_names_are_waived(house: House) -> None:
    put_result(house.layout.artefacts("split"), train_rows=50)
    reload(house, POLICY.replace("max_days: 30}", "max_days: 30, checks: [new fact]}"))
    asked = house.ask()
    assert house.judge(asked).state == "failed"
    waiver = {"checks": ["enough rows"], "expires": in_days(1)}
    require_against("policy lets nobody waive 'enough rows'", house, asked, "both", "waive", **waiver)


@pytest.mark.attack(rights="approver", stopped="policy's separation of duties")
def test_nobody_decides_in_two_roles_of_a_run(house: House) -> None:
    put_result(house.layout.artefacts("split"), train_rows=50)
    reload(house, SEPARATE)
    asked = house.ask()
    house.decide(asked, "both", role="data-owner")
    waiver = {"checks": ["enough rows"], "expires": in_days(1)}
    require_against("both decides in role data-owner in this run", house, asked, "both", "waive", **waiver)
    house.decide(asked, "both", "reject", "found it later", role="risk")
    assert house.judge(asked).state == "rejected", "a rejection counts in any role"


@pytest.mark.attack(rights="approver", stopped="policy's separation of duties")
def test_nor_in_another_role_at_a_later_gate(house: House) -> None:
    reload(house, SEPARATE)
    data = house.ask()
    house.decide(data, "both", role="data-owner")
    assert house.settle(data).state == "passed"
    later = house.ask("evaluation")
    require_against("both decides in role data-owner in this run", house, later, "both", role="risk")
    reload(house, POLICY)
    free = house.ask("evaluation", run="run-2")
    house.decide(free, "both", role="risk")
    assert house.judge(free).decisions[-1].counted, "where policy lets them, they may"


@pytest.mark.attack(rights="approver", stopped="policy's separation of duties")
def test_data_of_one_owner_takes_somebody_else(house: House) -> None:
    put(house.layout, dataset({"a": origin(222, owner="both")}))
    reload(house, SOLE)
    asked = house.ask()
    assert [role.role for role in asked.asks.roles] == ["data-owner", "risk"]
    house.decide(asked, "both", role="data-owner")
    require_against("both owns all sources of this run", house, asked, "both", role="risk")
    assert house.judge(asked).waiting_for == ["1 approval in role risk, of risk-one"]
    house.decide(asked, "risk-one")
    assert house.settle(asked).state == "passed"


def test_data_of_two_owners_takes_nobody_more(house: House) -> None:
    put(house.layout, dataset({"a": origin(22, owner="both"), "b": origin(22, owner="owner")}))
    reload(house, SOLE)
    assert [role.role for role in house.ask().asks.roles] == ["data-owner"]


@pytest.mark.attack(rights="worker", stopped="policy's requesters, applied when the gate is judged")
def test_a_run_that_its_requester_could_not_ask_for_passes_no_gate(house: House) -> None:
    reload(house, POLICY.replace("  low:\n", "  low:\n    requesters: [engineer]\n"))
    assert house.judge(house.ask()).state == "waiting"
    with pytest.raises(Refused, match="takes engineer; lead holds ml-lead"):
        house.judge(house.ask(by="lead", run="run-2"))
    with pytest.raises(Refused, match="does not let the scheduler"):
        house.judge(house.ask(by="scheduler", run="run-3"))
    reload(house, POLICY.replace("  low:\n", "  low:\n    requesters: []\n    scheduler: true\n"))
    assert house.judge(house.ask(by="scheduler", run="run-4")).state == "waiting"
    with pytest.raises(Refused, match="takes nobody but the scheduler"):
        house.judge(house.ask(run="run-5"))


@pytest.mark.attack(rights="worker", stopped="roles count as of when the request was recorded")
def test_a_request_dated_back_to_a_role_that_was_taken_since_passes_no_gate(house: House) -> None:
    taken = f"roles: [data-owner, {{role: engineer, valid_before: {house.ledger.now() - timedelta(days=2):%Y-%m-%d}}}]"
    people = PEOPLE.replace("roles: [engineer, data-owner]", taken)
    reload(house, POLICY.replace("  low:\n", "  low:\n    requesters: [engineer]\n"), people)
    dated_back = request("run-1", "asker", False, house.ledger.now() - timedelta(days=5))
    signed_request.record_request(
        house.ledger, house.governance, signed_request.sign_request(dated_back, house.key("asker"))
    )
    with pytest.raises(Refused, match="takes engineer; asker holds data-owner"):
        house.judge(house.ask())


@pytest.mark.attack(rights="worker", stopped="who asks for a run holds a role")
def test_who_holds_no_role_any_more_asks_for_no_run(house: House) -> None:
    """Also where policy lets everybody ask."""
    with pytest.raises(Refused, match="gone held no role on"):
        house.judge(house.ask(by="gone"))


@pytest.mark.attack(rights="approver", stopped="policy asks for a key that people.yaml gives")
def test_where_policy_asks_for_own_keys_those_made_here_do_not_count(house: House) -> None:
    line = house.line("owner")
    own = POLICY.replace("        decisions: [{role: data-owner}]\n",
                         "        decisions: [{role: data-owner}]\n        signature: own\n")  # fmt: skip
    people = PEOPLE.replace("name: Data owner,", f"name: Data owner, keys: [{line}],")
    reload(house, own, people)
    asked = house.ask()
    require_against("and both has none there", house, asked, "both", role="data-owner")
    house.decide(asked, "owner")
    assert house.settle(asked).state == "passed"


LOW, WAIVE = "  low:\n", "max_days: 30}"


@pytest.mark.parametrize(
    ("old", "more", "wanted"),
    [
        (LOW, "    requesters: [pilot]\n", r":4: tiers.low: .*nobody may ask for a run"),
        (LOW, "    requesters: [ml-lead]\n", r"tiers.low: .*whoever asks for the run, gate evaluation wants 1 "),
        (
            LOW,
            "    break_glass: {role: risk, confirm_role: pilot, confirm_hours: 1}\n",
            r"low.break_glass: .* 1",
        ),
        (LOW, "    break_glass: {role: ml-lead, confirm_role: ml-lead, confirm_hours: 1}\n", "wants 2"),
        (LOW, "    separation: {sole_owner: pilot}\n", r"low.separation: .*wants 1 with role pilot"),
        ("policy: [{role: risk", ", count: 3", r"changes.policy: .*no other person is left for role risk"),
        ("      release:\n", "        signature: hardware\n", "gate release wants 1 "),
        ("max_days: 30", ", checks: [typo]", "no check of this gate is named typo"),
        (WAIVE, "\n        remind_days: [14]", "a reminder comes before the deadline of 14 days"),
        (WAIVE, "\n        escalate: {role: risk, after_days: 20}", "after_days comes before"),
    ],
)
def test_policies_that_nobody_can_satisfy(house: House, old: str, more: str, wanted: str) -> None:
    assert old in POLICY
    with pytest.raises(InputError, match=wanted):
        reload(house, POLICY.replace(old, old + more))


def test_separate_roles_want_different_people(house: House) -> None:
    """Two risk people and the owner: `both` is needed twice, once the requester holds the owners' role alone."""
    few = "\n".join(line for line in PEOPLE.splitlines() if not re.search("demo|id: owner|id: gone", line)) + "\n"
    reload(house, POLICY, few)
    with pytest.raises(InputError, match="nobody may decide in two roles, and no other person is left for role"):
        reload(house, SEPARATE, few.replace("roles: [engineer, data-owner]", "roles: [engineer]"))


def test_what_a_run_could_not_pass_is_told_for_its_requester_and_owners(house: House) -> None:
    owners = SOLE.replace("{role: data-owner}", "{role: data-owner, owners: true}")
    reload(house, owners)

    now = house.ledger.now()

    def told(requester: str, *owned: str) -> str:
        return staffing.run_staffing_problem(
            house.governance.policy, house.governance.people, "low", [requester], owned, False, now
        )

    assert told("asker", "owner", "both") == ""
    assert told("asker", "lead") == "lead must approve their data in role data-owner, and cannot"
    assert told("owner", "owner") == "owner must approve their data in role data-owner, and cannot"
    assert "gate evaluation wants 1 with role ml-lead" in told("lead", "owner")
    assert "wants 2 with role risk, and 1 could decide" in told("risk-one", "owner")


def test_withdrawn_the_other_role_is_free_again(house: House) -> None:
    put_result(house.layout.artefacts("split"), train_rows=50)
    reload(house, SEPARATE)
    asked = house.ask()
    house.decide(asked, "both", role="data-owner")
    house.decide(asked, "both", "withdraw")
    house.decide(asked, "both", "waive", checks=["enough rows"], expires=in_days(1))
    assert house.judge(asked).checks[0].holds


AUDITED = f"{PEOPLE}  - {{id: auditor, name: Auditor, roles: [auditor]}}\n"


@pytest.mark.attack(rights="approver", stopped="who only reads may not act, whatever asks them")
def test_an_auditor_reads_and_changes_nothing(house: House) -> None:
    reload(house, POLICY, AUDITED)
    assert house.governance.require_reader("auditor").is_only_auditor(datetime.now(UTC))
    with pytest.raises(Refused, match=r"auditor is auditor in people\.yaml, who reads everything and changes nothing"):
        house.governance.require_actor("auditor")
    with pytest.raises(Refused, match="who reads everything and changes nothing"):
        house.decide(house.ask(), "auditor")
    assert "auditor, who reads everything and asks for nothing" in house.governance.policy.tier("low").request_refusal(
        "auditor", ["auditor"]
    )
    reload(house, POLICY, AUDITED.replace("[auditor]", "[auditor, risk]"))
    assert house.governance.require_actor("auditor").id == "auditor", "another role acts"


@pytest.mark.parametrize(
    "more", ["  low:\n    requesters: [auditor]\n", "  low:\n    separation: {sole_owner: auditor}\n"]
)
def test_a_policy_asks_nothing_of_auditors(house: House, more: str) -> None:
    with pytest.raises(InputError, match="role auditor reads and changes nothing; name another"):
        reload(house, POLICY.replace("  low:\n", more), AUDITED)
