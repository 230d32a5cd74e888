"""Each rule of decisions says the same before a person signs, when the gate is judged, and of a release, offline.

A case is a decision that one rule is against, and a word of its reason. Two of the three cannot meet every case: the
command writes itself what a decision is about, and a release does not hold the ledger.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from tasks.core.errors import HallmarkError, Refused
from tasks.core.files import write_json
from tasks.gates.evidence import Evidence
from tasks.gates.rules import all_rules
from tasks.gates.signed_decision import DECISION_KIND
from tasks.ledger.ledger import Entry
from tasks.registry.verify import decision_checks
from tasks.registry.verify.attestations import ReleaseDecision
from tasks.trust import dsse
from tasks.trust.gate_statement import GateName
from tests.gates.test_attacks import plant
from tests.governed.datasets import dataset, origin, put
from tests.governed.house import PEOPLE, POLICY, House, put_result, reload

OTHER = "0" * 64
Pair = tuple[Evidence, Evidence]
"""What a decision is made on, and where it is to count."""


def first(house: House) -> Pair:
    asked = house.ask()
    return asked, asked


def under(old: str, new: str) -> Callable[[House], Pair]:
    def arrange(house: House) -> Pair:
        assert old in POLICY
        reload(house, POLICY.replace(old, new))
        return first(house)

    return arrange


def owned_by_both(separation: str, new: str) -> Callable[[House], Pair]:
    def arrange(house: House) -> Pair:
        put(house.layout, dataset({"a": origin(222, owner="both")}))
        return under(separation, new)(house)

    return arrange


def later(
    gate: GateName = "data", change: Callable[[House], object] = lambda _: None, **asked: Any
) -> Callable[[House], Pair]:
    """Made in one run, to count in the next, after a change."""

    def arrange(house: House) -> Pair:
        made_on = house.ask(gate, **asked)
        change(house)
        return made_on, house.ask(gate, run="run-2")

    return arrange


def other_purpose(house: House) -> None:
    card = house.params.use_case.model_copy(update={"problem": "another"})
    house.params = house.params.model_copy(update={"use_case": card})


def other_figure(house: House) -> None:
    house.layout.artefacts("ingest").joinpath("result.json").unlink()
    put_result(house.layout.artefacts("ingest"), rows=3)


def waivable_by_rows(house: House) -> Pair:
    few = POLICY.replace("split.train_rows", "ingest.rows").replace("at_least: 100}", "at_least: 1000}")
    reload(house, few)
    return later(change=other_figure)(house)


def own_keys(house: House) -> Pair:
    """Policy asks for keys of their own, and one data owner has one."""
    asks = "decisions: [{role: data-owner}]\n"
    people = PEOPLE.replace("name: Two hats,", f"name: Two hats, keys: [{house.line('both')}],")
    reload(house, POLICY.replace(asks, f"{asks}        signature: own\n"), people)
    return first(house)


def closed(house: House) -> Pair:
    asked = house.ask()
    house.decide(asked, "both", role="data-owner")
    assert house.settle(asked).state == "passed"
    return asked, asked


def said_before(house: House) -> Pair:
    asked = house.ask()
    house.decide(asked, "owner")
    return asked, asked


def in_another_role(house: House) -> Pair:
    put_result(house.layout.artefacts("split"), train_rows=50)
    asked = under("  low:\n", "  low:\n    separation: {two_roles: false}\n")(house)
    house.decide(asked[0], "both", role="data-owner")
    return asked


def short(arrange: Callable[[House], Pair] = first) -> Callable[[House], Pair]:
    """With a check that failed."""

    def fewer(house: House) -> Pair:
        put_result(house.layout.artefacts("split"), train_rows=50)
        return arrange(house)

    return fewer


@dataclass(frozen=True)
class Case:
    rule: str
    word: str
    person: str = "owner"
    says: dict[str, Any] = field(default_factory=dict)
    """Of the decision, and what it is signed with."""
    arrange: Callable[[House], Pair] = first
    ahead: float | None = None
    """Days from now until a waiver expires."""
    late: float = 0
    """Days that it is dated ahead."""
    signed: bool = True
    """Whether the command could be asked for it."""
    released: bool = True
    """Whether a release shows it."""


WAIVER = {"verb": "waive", "role": "risk", "checks": ["enough rows"]}
CASES = [
    Case("refuse_other_gate", "it is about gate release", says={"gate": "release"}, signed=False),
    Case("refuse_mismatched_output", "its evidence is about another output", says={"subject": OTHER}, signed=False),
    Case(
        "refuse_mismatched_purpose", "another use case or risk tier than it says", says={"tier": "high"}, signed=False,
    ),
    Case("refuse_other_output", "about another output", says={"stage": "package"}, signed=False),
    Case(
        "refuse_other_policy", "made under another policy", signed=False,
        arrange=later(change=lambda house: reload(house, POLICY.replace("max_days: 30", "max_days: 20"))),
    ),
    Case(
        "refuse_other_evidence", "only data decisions carry over", "lead", {"role": "ml-lead"}, later("evaluation"),
        signed=False,
    ),
    Case(
        "refuse_other_expectations", "other expectations were asked then", signed=False, released=False,
        arrange=later(change=lambda house: write_json(house.layout.suites_path, {"by_source": {}, "dataset": None})),
    ),
    Case("refuse_other_purpose", "it was made for use case triage", arrange=later(change=other_purpose), signed=False),
    Case("refuse_without_role", "no role on", "gone"),
    Case("refuse_own_run", "asker asked for run run-1; nobody decides on their own run", "asker"),
    Case("refuse_demo_run", "it was made on a demo run", arrange=later(demo=True), signed=False),
    Case("refuse_demo_identity", "demo-owner is a demo identity", "demo-owner"),
    Case("refuse_unrequired_role", "does not ask role risk to approve; it asks data-owner", "both", {"role": "risk"}),
    Case("refuse_role_not_held", "lead did not hold role data-owner on", "lead"),
    Case(
        "refuse_sole_owner", "both owns all sources of this run", "both", {"role": "risk"},
        owned_by_both("  low:\n", "  low:\n    separation: {sole_owner: risk}\n"),
    ),
    Case(
        "refuse_non_owner", "owner owns no source of this run",
        arrange=owned_by_both("{role: data-owner}", "{role: data-owner, owners: true}"),
    ),
    Case("refuse_weak_key", "policy asks for a key that people.yaml gives, and owner has none there", arrange=own_keys),
    Case("refuse_after_closing", "takes no more decisions", arrange=closed, released=False),
    Case("refuse_after_deadline", "the deadline of gate data passed", late=20, signed=False, released=False),
    Case("refuse_postdated", "it says that it was signed on", late=0.01, signed=False),
    Case("refuse_backdated", "before its gate was asked", late=-0.01, signed=False, released=False),
    Case("refuse_incomplete", "a waiver needs a reason", "both", WAIVER, short(), signed=False),
    Case(
        "refuse_changed_result", "check 'enough rows' came out differently", "both", WAIVER, waivable_by_rows, 1,
        signed=False, released=False,
    ),
    Case("refuse_check_not_failed", "did not fail; waivers are for none", "both", WAIVER, ahead=1),
    Case(
        "refuse_unwaivable", "lets nobody waive 'enough rows'", "both", WAIVER,
        short(under("max_days: 30}", "max_days: 30, checks: [new fact]}")), 1,
    ),
    Case("refuse_too_long", "may last 30 days", "both", WAIVER, short(), 31),
    Case("refuse_expired", "the waiver expired on", "both", WAIVER, short(), -1),
    Case("repeated", "says the same as", arrange=said_before, signed=False),
    Case("second_role", "both decides in role data-owner in this run", "both", WAIVER, in_another_role, 1),
]  # fmt: skip


def test_no_rule_is_without_a_case() -> None:
    """`withdrawn` is tried below: it takes a decision that counts until then."""
    beside_others = ["repeated", "second_role"]
    assert sorted(case.rule for case in CASES) == sorted(
        [*(rule.__name__ for rule in all_rules.SINGLE_DECISION_RULES), *beside_others]
    )


@pytest.mark.attack(rights="approver", stopped="one table of rules, asked by all who ask")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_a_rule_says_the_same_whoever_asks(house: House, case: Case) -> None:
    made_on, asked = case.arrange(house)
    now = house.ledger.now()
    says = {"role": "data-owner", "verb": "approve", "reason": "seen", "checks": []} | case.says
    says["expires"] = now + timedelta(days=case.ahead) if case.ahead else None
    if case.signed:
        assert case.word in refused(house, asked, case.person, says)
    plant(house, made_on, case.person, **says, time=now + timedelta(days=case.late))
    assert case.word in house.why_not(asked)
    if case.released:
        assert case.word in offline(house, asked)


def test_what_was_withdrawn_counts_nowhere(house: House, asked: Evidence) -> None:
    house.decide(asked, "owner")
    assert offline(house, asked) == ""
    house.decide(asked, "owner", "withdraw")
    assert house.judge(asked).decisions[0].why_not == "withdrawn by entry 4"
    assert "withdrawn by 4.json" in offline(house, asked)


def refused(house: House, asked: Evidence, person: str, says: dict[str, Any]) -> str:
    """Why a person may not sign it."""
    with pytest.raises(HallmarkError) as caught:
        house.decide(asked, person, **says)
    return str(caught.value)


def offline(house: House, asked: Evidence) -> str:
    """Why a release does not hold that has all of the decisions that were made; empty where it does."""
    those = [released(house, entry) for entry in house.ledger.entries("gate.decision")]
    try:
        decision_checks.require_valid_decisions(those, asked, house.governance.policy, house.ledger.now(), {})
    except Refused as error:
        return str(error)
    return ""


def released(house: House, entry: Entry) -> ReleaseDecision:
    """A decision of the ledger as it stands in a release."""
    envelope = entry.body["envelope"]
    decision = DECISION_KIND.unverified_document(envelope)
    person = house.governance.people.get(decision.person)
    assert person
    mark, key = dsse.envelope_digest(envelope), dsse.unverified_signers(envelope)[0]
    return ReleaseDecision(
        decision, person, dsse.subject_digests(dsse.unverified_statement(envelope)), key, mark, f"{entry.seq}.json"
    )
