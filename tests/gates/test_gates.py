"""A gate from question to answer, as people and the flow use it."""

from datetime import timedelta

import pytest

from tasks.core.errors import InputError, Refused
from tasks.core.files import write_json
from tasks.gates import cases, evidence, gates
from tasks.gates.decisions import approve_as_demo_identities
from tasks.gates.evidence import Evidence
from tests.governed.house import PEOPLE, POLICY, House, keyed, put_result, reload
from tests.patience import wait_until


def fail_a_check(house: House) -> None:
    put_result(house.layout.artefacts("split"), train_rows=50)


def waive(house: House, asked, days: float = 1, person: str = "both", checks=("enough rows",)):
    expires = house.ledger.now() + timedelta(days=days)
    return house.decide(asked, person, "waive", "pilot only", checks=checks, expires=expires)


def test_a_gate_waits_passes_and_closes(house: House, asked: Evidence) -> None:
    standing = house.judge(asked)
    assert standing.state == "waiting"
    assert standing.waiting_for == ["1 approval in role data-owner, of owner, both"]
    assert gates.open_evidence(house.ledger) == [asked]
    entry = house.decide(asked, "owner", reason="looks right")
    settled = house.settle(asked)
    assert settled.state == "passed"
    assert settled.waiting_for == []
    assert [(d.seq, d.person, d.role, d.reason, d.counted) for d in settled.decisions] == [
        (entry.seq, "owner", "data-owner", "looks right", True)
    ]
    assert gates.open_evidence(house.ledger) == []
    with pytest.raises(Refused, match=r"closed on .* \(passed\) and takes no more decisions"):
        house.decide(asked, "both", role="data-owner")
    assert house.judge(asked, house.ledger.now() + timedelta(days=100)).state == "passed"


def test_checks_alone_decide_where_policy_asks_nobody(house: House) -> None:
    reload(house, POLICY.replace("        decisions: [{role: data-owner}]\n", ""))
    asked = house.ask()
    assert house.judge(asked).state == "passed"
    with pytest.raises(Refused, match="asks nobody to approve"):
        house.decide(asked, "owner")


def test_every_role_must_approve_in_its_number(house: House) -> None:
    asked = house.ask("evaluation")
    house.decide(asked, "lead")
    house.decide(asked, "risk-one")
    assert house.judge(asked).waiting_for == ["1 approval in role risk, of both"]
    house.decide(asked, "risk-one", reason="once more")
    assert house.judge(asked).state == "waiting"
    house.decide(asked, "both")
    assert house.judge(asked).state == "passed"


def test_a_failed_check_that_nobody_may_waive_fails_the_gate(house: House) -> None:
    put_result(house.layout.artefacts("evaluate"), exact_match={"value": 0.75, "low": 0.69, "high": 0.8})
    asked = house.ask("evaluation")
    standing = house.judge(asked)
    assert standing.state == "failed"
    assert standing.waiting_for[0] == (
        "check 'good enough' failed (evaluate.exact_match low end is 0.69, wanted at least 0.7); "
        "it needs other outputs: policy lets nobody waive it"
    )
    for person in ("lead", "risk-one", "both"):
        house.decide(asked, person)
    assert house.judge(asked).state == "failed"
    assert house.settle(asked).state == "failed"
    assert gates.open_evidence(house.ledger) == []


def test_a_success_metric_that_failed_fails_the_gate(house: House) -> None:
    put_result(house.layout.measurements("predict/candidate"), latency_p95_ms=901)
    assert house.judge(house.ask("evaluation")).state == "failed"


def test_a_waiver_lets_a_failed_check_pass_until_it_expires(house: House) -> None:
    fail_a_check(house)
    asked = house.ask()
    assert "it needs a waiver by role risk" in house.judge(asked).waiting_for[0]
    house.decide(asked, "owner")
    assert house.judge(asked).state == "waiting"
    waive(house, asked)
    standing = house.settle(asked)
    assert standing.state == "passed"
    assert (standing.checks[0].waived_by, standing.checks[0].result.verdict) == ("both", "failed")
    later = house.judge(asked, house.ledger.now() + timedelta(days=2))
    assert later.state == "failed"
    assert "the waiver expired on" in later.decisions[-1].why_not


def test_before_the_gate_closes_an_expired_waiver_can_be_renewed(house: House) -> None:
    fail_a_check(house)
    asked = house.ask()
    house.decide(asked, "owner")
    waive(house, asked, days=1)
    longest = waive(house, asked, days=3)
    waive(house, asked, days=2)
    until = house.judge(asked).checks[0].waived_until
    assert until is not None
    assert until > house.ledger.now() + timedelta(days=2.5)
    after = house.judge(asked, house.ledger.now() + timedelta(days=2.5))
    assert after.state == "passed"
    assert [d.seq for d in after.decisions if d.counted and d.verb == "waive"] == [longest.seq]
    assert house.judge(asked, house.ledger.now() + timedelta(days=4)).state == "waiting"


def test_a_rejection_stands_until_it_is_withdrawn(house: House, asked: Evidence) -> None:
    house.decide(asked, "owner")
    house.decide(asked, "both", "reject", "wrong extract", role="data-owner")
    assert house.judge(asked).state == "rejected"
    house.decide(asked, "both", "withdraw")
    assert house.judge(asked).state == "passed"
    house.decide(asked, "both", "reject", "wrong after all", role="risk")
    assert house.settle(asked).state == "rejected"
    with pytest.raises(Refused, match=r"\(rejected\) and takes no more decisions"):
        house.decide(asked, "both", "withdraw")


def test_a_withdrawn_approval_counts_no_more_and_can_be_given_again(house: House, asked: Evidence) -> None:
    house.decide(asked, "owner")
    house.decide(asked, "owner", "withdraw")
    standing = house.judge(asked)
    assert standing.state == "waiting"
    assert standing.decisions[0].why_not == f"withdrawn by entry {standing.decisions[1].seq}"
    house.decide(asked, "owner")
    assert house.judge(asked).state == "passed"


def test_past_its_deadline_a_gate_expires_and_late_decisions_are_refused(house: House) -> None:
    reload(house, POLICY.replace("max_days: 30}", "max_days: 30}\n        deadline_days: 0.00001"))
    asked = house.ask()
    wait_until(lambda: house.judge(asked).state == "expired", "the gate to expire")
    with pytest.raises(Refused, match="the deadline of gate data passed"):
        house.decide(asked, "owner")
    assert house.settle(asked).state == "expired"
    assert house.judge(asked).state == "expired"


def test_the_question_is_put_once_and_what_is_on_record_counts(house: House, asked: Evidence) -> None:
    put_result(house.layout.measurements("split"), seconds=3)
    assert house.collect() != asked
    assert house.ask() == asked
    assert len(house.ledger.entries(cases.ASKED)) == 1


def test_another_output_puts_another_question_that_takes_the_place_of_the_first(house: House) -> None:
    first = house.ask()
    house.decide(first, "owner")
    (house.layout.artefacts("split") / "train.txt").write_text("rowz")
    second = house.ask()
    assert house.judge(second).state == "waiting"
    assert gates.open_evidence(house.ledger) == [second]
    with pytest.raises(Refused, match="is not the one on record"):
        house.judge(first)
    (house.layout.artefacts("split") / "train.txt").write_text("rows")
    assert house.ask() == first
    assert gates.open_evidence(house.ledger) == [first]
    assert house.judge(first).state == "passed"


def test_the_same_question_put_again_after_another_is_open_again(house: House) -> None:
    first = house.ask()
    house.decide(first, "owner", "reject", "no")
    house.settle(first)
    (house.layout.artefacts("split") / "train.txt").write_text("rowz")
    house.ask()
    (house.layout.artefacts("split") / "train.txt").write_text("rows")
    assert house.ask() == first
    assert gates.open_evidence(house.ledger) == [first]
    house.decide(first, "owner", "withdraw")
    house.decide(first, "owner")
    assert house.settle(first).state == "passed"


def test_another_policy_puts_another_question(house: House) -> None:
    first = house.ask()
    house.decide(first, "owner")
    reload(house, POLICY.replace("at_least: 0.7", "at_least: 0.6"))
    with pytest.raises(Refused, match="gathered under another policy"):
        house.judge(first)
    with pytest.raises(Refused, match="policy changed after gate data"):
        house.decide(first, "owner")
    second = house.ask()
    standing = house.judge(second)
    assert standing.state == "waiting"
    assert standing.decisions[0].why_not == "it was made under another policy"


def test_a_gate_that_nobody_may_decide_says_so(house: House) -> None:
    asked = house.ask("release", by="releaser")
    assert house.judge(asked).waiting_for == [
        "1 approval in role release-manager, and nobody in people.yaml may give it on this run"
    ]


def test_a_gate_is_closed_once_and_never_while_it_waits(house: House, asked: Evidence) -> None:
    with pytest.raises(InputError, match="still waits"):
        gates.close_gate(house.ledger, asked, house.judge(asked))
    house.decide(asked, "owner")
    standing = house.judge(asked)
    gates.close_gate(house.ledger, asked, standing)
    gates.close_gate(house.ledger, asked, standing)
    assert house.settle(asked).state == "passed"
    assert len(house.ledger.entries(cases.CLOSED)) == 1


def test_a_decision_between_judging_and_closing_is_not_lost(house: House, asked: Evidence) -> None:
    house.decide(asked, "owner")
    standing = house.judge(asked)
    house.decide(asked, "both", "reject", "stop", role="data-owner")
    with pytest.raises(Refused, match="judge it again"):
        gates.close_gate(house.ledger, asked, standing)
    assert house.settle(asked).state == "rejected"


def test_the_standing_of_one_gate_closes_no_other(house: House) -> None:
    one, two = house.ask(run="run-1"), house.ask(run="run-2")
    house.decide(one, "owner")
    standing = house.judge(one)
    with pytest.raises(Refused, match="standing is that of other evidence"):
        gates.close_gate(house.ledger, two, standing)


def test_gates_of_several_runs_wait_side_by_side(house: House) -> None:
    asked = [house.ask(run="run-1"), house.ask("evaluation", run="run-1"), house.ask(run="run-2")]
    assert gates.open_evidence(house.ledger) == asked
    house.decide(asked[0], "owner")
    house.settle(asked[0])
    assert gates.open_evidence(house.ledger) == asked[1:]


class TestCarryingOver:
    """Data decisions hold for later runs with the same output and policy; evaluation and release ones never do."""

    def test_an_approval_holds_for_a_later_run(self, house: House) -> None:
        house.decide(house.ask(run="run-1"), "owner")
        later = house.ask(run="run-2", by="lead")
        assert house.judge(later).state == "passed"

    def test_but_not_for_a_run_that_the_decider_asked_for(self, house: House) -> None:
        house.decide(house.ask(run="run-1"), "owner")
        later = house.ask(run="run-2", by="owner")
        assert house.judge(later).state == "waiting"
        assert house.why_not(later) == "owner asked for run run-2; nobody decides on their own run"

    def test_not_with_another_output(self, house: House) -> None:
        house.decide(house.ask(run="run-1"), "owner")
        (house.layout.artefacts("split") / "train.txt").write_text("rowz")
        assert house.judge(house.ask(run="run-2")).decisions == []

    def test_not_where_other_expectations_were_asked(self, house: House) -> None:
        house.decide(house.ask(run="run-1"), "owner")
        write_json(house.layout.suites_path, {"by_source": {}, "dataset": None})
        later = house.ask(run="run-2")
        assert house.judge(later).state == "waiting"
        assert house.why_not(later) == "other expectations were asked then"

    def test_evaluation_and_release_do_not(self, house: House) -> None:
        for gate, person in (("evaluation", "lead"), ("release", "releaser")):
            house.decide(house.ask(gate, run="run-1"), person)
            later = house.ask(gate, run="run-2")
            assert house.judge(later).state == "waiting"
            assert "only data decisions carry over" in house.why_not(later)

    def test_a_rejection_blocks_a_later_run_until_its_maker_withdraws_it(self, house: House) -> None:
        first = house.ask(run="run-1")
        house.decide(first, "both", "reject", "stolen data", role="data-owner")
        assert house.settle(first).state == "rejected"
        later = house.ask(run="run-2")
        house.decide(later, "owner")
        standing = house.judge(later)
        assert standing.state == "waiting"
        assert standing.waiting_for == [
            "both rejected the same output in run run-1 (stolen data) and would have to withdraw that"
        ]
        house.decide(later, "both", "withdraw", "it was not")
        assert house.judge(later).state == "passed"
        assert house.judge(first).state == "rejected"

    def test_who_rejected_the_same_in_an_earlier_run_rejects_a_later_one_as_well(self, house: House) -> None:
        first = house.ask(run="run-1")
        house.decide(first, "both", "reject", "stolen data", role="data-owner")
        later = house.ask(run="run-2")
        assert house.judge(later).state == "waiting"
        house.decide(later, "both", "reject", "stolen data", role="data-owner")
        assert house.judge(later).state == "rejected"

    def test_a_waiver_holds_only_for_the_figure_that_was_waived(self, house: House) -> None:
        reload(house, POLICY.replace("split.train_rows", "ingest.rows").replace("at_least: 100}", "at_least: 1000}"))
        first = house.ask(run="run-1")
        house.decide(first, "owner")
        waive(house, first)
        assert house.judge(house.ask(run="run-2")).state == "passed"
        put_result(house.layout.artefacts("ingest"), rows=3)
        worse = house.ask(run="run-3")
        assert house.judge(worse).state == "waiting"
        assert house.why_not(worse) == "check 'enough rows' came out differently when it was waived"

    def test_a_decision_on_a_demo_run_holds_for_no_other_kind_of_run(self, house: House) -> None:
        demo = house.ask(run="run-1", demo=True)
        house.decide(demo, "owner")
        assert house.judge(house.ask(run="run-2", demo=True)).state == "passed"
        real = house.ask(run="run-3")
        assert house.judge(real).state == "waiting"
        assert house.why_not(real) == "it was made on a demo run"

    def test_a_decision_on_a_real_run_holds_for_a_demo_run(self, house: House) -> None:
        house.decide(house.ask(run="run-1"), "owner")
        assert house.judge(house.ask(run="run-2", demo=True)).state == "passed"


class TestDemoApprovals:
    def test_demo_people_give_what_is_missing_and_no_more(self, house: House) -> None:
        asked = house.ask("evaluation", demo=True)
        house.decide(asked, "lead")
        house.decide(asked, "both")
        entries = approve_as_demo_identities(house.ledger, house.governance, asked)
        assert [d.person for d in house.judge(asked).decisions] == ["lead", "both", "demo-risk"]
        assert len(entries) == 1
        assert house.judge(asked).state == "passed"
        assert approve_as_demo_identities(house.ledger, house.governance, asked) == []

    def test_a_failed_check_stays_failed(self, house: House) -> None:
        fail_a_check(house)
        asked = house.ask(demo=True)
        approve_as_demo_identities(house.ledger, house.governance, asked)
        standing = house.judge(asked)
        assert standing.state == "waiting"
        assert [d.verb for d in standing.decisions] == ["approve"]
        assert not standing.checks[0].holds

    def test_not_on_a_real_run(self, house: House) -> None:
        with pytest.raises(Refused, match="was not started with --demo-approvals"):
            approve_as_demo_identities(house.ledger, house.governance, house.ask())
        assert house.judge(house.ask()).decisions == []

    def test_not_by_whoever_asked_for_the_run(self, house: House) -> None:
        asked = house.ask(demo=True, by="demo-owner")
        assert approve_as_demo_identities(house.ledger, house.governance, asked) == []
        assert house.judge(asked).state == "waiting"

    def test_not_over_a_demo_persons_own_rejection(self, house: House) -> None:
        house.decide(house.ask(run="run-1", demo=True), "demo-owner", "reject", "no")
        later = house.ask(run="run-2", demo=True)
        assert approve_as_demo_identities(house.ledger, house.governance, later) == []
        assert house.judge(later).state == "waiting"

    def test_not_outside_environment_local(self, house: House) -> None:
        asked = house.ask(demo=True)
        outside(house)
        with pytest.raises(Refused, match="environment local alone, this is production"):
            approve_as_demo_identities(house.ledger, house.governance, asked)
        again = house.ask(demo=True)
        with pytest.raises(Refused, match="environment local alone, this is production"):
            house.decide(again, "owner")
        with pytest.raises(Refused, match="environment local alone, this is production"):
            house.judge(again)


def outside(house: House) -> None:
    """Environment production, with everybody's key in people.yaml."""
    reload(house, POLICY.replace("environment: local", "environment: production"), keyed(PEOPLE, house.state))


def test_outside_local_people_decide_with_the_keys_in_people_yaml(house: House) -> None:
    outside(house)
    asked = house.ask()
    house.decide(asked, "owner", signer=house.key("owner"))
    assert house.judge(asked).state == "passed"
    assert evidence.evidence_digest(asked) == house.judge(asked).evidence_sha256
