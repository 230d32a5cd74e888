"""Test cases of a policy in policy_tests.yaml, judged by the code that judges gates.

Each case goes through one gate in a temporary ledger, with newly created keys. No real key is needed, so authors of a
policy can see its effect before anybody adopts it.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from tasks.core.documents import config
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import HallmarkError, Refused
from tasks.core.facts import Fact, Facts
from tasks.core.graph import SUBJECT_STAGES
from tasks.core.params.use_case import SuccessMetric
from tasks.core.params.values import Name, NonEmptyText
from tasks.declarations.criteria import AcceptanceCriteria, PromotedCriteria
from tasks.gates import decisions, gates, signed_request
from tasks.gates.checks.checks import checks_of_gate, evaluate_check, facts_of_every_tier
from tasks.gates.checks.purpose import Purpose
from tasks.gates.evidence import Evidence, RequiredDecisions
from tasks.gates.rules import run_request
from tasks.gates.signed_decision import Verb
from tasks.gates.signed_request import RecordedRunRequest, SignedRunRequest
from tasks.ledger.ledger import Ledger, open_ledger
from tasks.policy.gate_rules import Days
from tasks.policy.governance import Governance
from tasks.policy.people import MACHINES, Machine, People, Person
from tasks.policy.policy import Policy
from tasks.policy.tier import SCHEDULER
from tasks.sources.dataset import COUNTED_STAGES, PARTITIONS, SEGMENT_FIELDS, Dataset
from tasks.sources.protection import CATEGORIES
from tasks.trust import keys
from tasks.trust.gate_statement import GateName
from tasks.trust.validity import Key

RUN, ZERO_DIGEST = "policy-case", "0" * 64


class PolicyTestDecision(FrozenModel):
    person: Name
    verb: Verb = "approve"
    role: Name | None = None
    checks: list[NonEmptyText] = []
    """Names of the failed checks to waive."""
    days: Days | None = None
    """Number of days until a waiver expires."""


class PolicyTestCase(FrozenModel):
    name: NonEmptyText
    tier: Name
    gate: GateName
    requester: Name
    use_case: Name | None = None
    """Use case of the run, which belongs to a team. If null, it is one of the requester's own team."""
    owners: list[Name] = []
    """Owners of the run's sources; each owner has one source. Only for the data gate."""
    facts: dict[str, float | Fact] = {}
    """Metrics by name, each a number or `{value, low, high}`."""
    unapproved_uses: list[NonEmptyText] = []
    """Uses on the use-case card that no source is approved for. Only for the data gate."""
    laxer_metrics: list[NonEmptyText] = []
    """Names of success metrics that the last promotion had and that the use case no longer has. Only for the evaluation
    gate."""
    demo: bool = False
    decisions: list[PolicyTestDecision] = []
    expect: Literal["passed", "failed", "rejected", "waiting", "refused"]
    """Expected state of the gate. `refused` means that a decision was not allowed or that the run could not be
    requested."""


class PolicyTestFile(FrozenModel):
    cases: Annotated[list[PolicyTestCase], Field(min_length=1)]


class PolicyTestResult(FrozenModel):
    name: str
    ok: bool
    state: str
    text: Annotated[str, Field(serialization_alias="told")]


def load_cases(folder: Path) -> list[PolicyTestCase]:
    return config.load_settings(folder / "policy_tests.yaml", PolicyTestFile).cases


def run_cases(cases: Sequence[PolicyTestCase], policy: Policy, people: People) -> list[PolicyTestResult]:
    with tempfile.TemporaryDirectory() as folder:
        governed = _with_new_keys(policy, people, Path(folder) / ".hallmark")
        return [_run_case(case, open_ledger(Path(folder) / f"{i}"), governed, people) for i, case in enumerate(cases)]


def _run_case(case: PolicyTestCase, ledger: Ledger, governed: Governance, people: People) -> PolicyTestResult:
    try:
        state, text = _judge_case(case, ledger, _without_hardware_keys(case, governed, people))
    except HallmarkError as error:
        state, text = "refused", str(error)
    ok = state == case.expect
    return PolicyTestResult(name=case.name, ok=ok, state=state, text=text if ok else f"{text} (expected {case.expect})")


def _judge_case(case: PolicyTestCase, ledger: Ledger, governed: Governance) -> tuple[str, str]:
    now = ledger.now()
    if refused := run_request.refusal_reason(
        case.requester, case.tier, _use_case(case, governed.policy), governed.policy, governed.people, now
    ):
        raise Refused(refused)
    asked = gates.open_gate(ledger, _evidence(case, governed.policy, _request(case, ledger, governed)))
    for said in case.decisions:
        expires = now + timedelta(days=said.days) if said.days else None
        decisions.decide(
            ledger, governed, asked, said.person, said.verb, "a case", said.role, said.checks, expires
        )  # fmt: skip
    standing = gates.judge_gate(asked, ledger, governed, ledger.now())
    return standing.state, "; ".join([standing.state, *standing.waiting_for])


def _request(case: PolicyTestCase, ledger: Ledger, governed: Governance) -> RecordedRunRequest:
    now = ledger.now()
    signer = governed.find_signer(
        "scheduler" if case.requester == SCHEDULER else governed.require_actor(case.requester, now), now
    )
    request = SignedRunRequest(
        run_id=RUN, requested_by=case.requester, commit="0" * 40, tree_sha256=ZERO_DIGEST, params="params.yaml",
        params_sha256=None, governance=None, changes={}, demo_approvals=case.demo,
        environment=governed.policy.environment, time=now,
    )  # fmt: skip
    return signed_request.record_request(ledger, governed, signed_request.sign_request(request, signer))


def _use_case(case: PolicyTestCase, policy: Policy) -> str:
    own = (use_case for team in policy.teams.values() if case.requester in team.people for use_case in team.use_cases)
    any_team = (use_case for team in policy.teams.values() for use_case in team.use_cases)
    return case.use_case or next(own, None) or next(any_team, "case")


def _evidence(case: PolicyTestCase, policy: Policy, asked: RecordedRunRequest) -> Evidence:
    rules = policy.gate(case.tier, case.gate)
    dataset = _dataset(case.owners) if case.gate == "data" else None
    purpose = Purpose(problem="a case", users=["cases"], approved_uses=["cases", *case.unapproved_uses])
    metrics = [SuccessMetric(name=name, fact=f"case.{n}", at_least=1) for n, name in enumerate(case.laxer_metrics)]
    bar, before = (
        AcceptanceCriteria(success_metrics=each, confidence=0.95, base_rows=400, judged_by="json intent")
        for each in ([], metrics)
    )
    adopted = PromotedCriteria(release="case-1", bar=before) if case.gate == "evaluation" else None
    facts: Facts = {n: f if isinstance(f, Fact) else Fact(value=f) for n, f in case.facts.items()}
    facts |= facts_of_every_tier(case.gate, purpose, dataset, bar, adopted)
    return Evidence.model_validate({
        "gate": case.gate, "run": RUN, "requested_by": case.requester, "demo": case.demo,
        "request_sha256": asked.sha256, "tree_sha256": ZERO_DIGEST, "use_case": _use_case(case, policy),
        "tier": case.tier, "subject": {"stage": SUBJECT_STAGES[case.gate], "sha256": ZERO_DIGEST},
        "policy_sha256": policy.digest(), "asks": RequiredDecisions.from_policy(policy.tier(case.tier), case.gate,
        dataset, case.demo),
        "checks": [evaluate_check(check, facts) for check in checks_of_gate(case.gate, rules, [])], "facts": facts,
        "purpose": purpose, "bar": bar, "adopted": adopted, "artefacts": {},
        "dataset": dataset, "change": None,
    })  # fmt: skip


def _dataset(owners: Sequence[str]) -> Dataset:
    passage = {"rows": 1, "records": 1, "quarantined": {}}
    source: dict[str, Any] = {
        "sha256": ZERO_DIGEST, "steward": "nobody", "access": [], "classification": "internal",
        "lawful_basis": "a case",
        "licence": "none", "retention_days": 1, "refresh_days": 1, "region": "none",
        "approved_uses": ["cases"], "rows": dict.fromkeys(PARTITIONS, 1),
        "passages": dict.fromkeys(COUNTED_STAGES, passage), "protected": {},
        "actions": dict.fromkeys(CATEGORIES, "keep"),
    }  # fmt: skip
    return Dataset.model_validate({
        "sources": {f"of-{owner}": source | {"owner": owner} for owner in owners},
        "counts": dict.fromkeys(COUNTED_STAGES, passage), "rows": dict.fromkeys(PARTITIONS, 1),
        "digests": dict.fromkeys(PARTITIONS, ZERO_DIGEST), "settings": {},
        "segments": {name: {side: {} for side in PARTITIONS} for name in SEGMENT_FIELDS},
    })  # fmt: skip


def _without_hardware_keys(case: PolicyTestCase, governance: Governance, people: People) -> Governance:
    """Return governance in which the case's gate does not require hardware keys, because test keys are files.

    If the gate requires hardware keys, the test key of each person with a hardware key in `people` counts as one.
    """
    if governance.policy.gate(case.tier, case.gate).signature != "hardware":
        return governance
    policy = governance.policy.model_dump(mode="json")
    policy["tiers"][case.tier]["gates"][case.gate]["signature"] = "own"
    weak = {person.id for person in people.people if person.key_weakness("hardware", governance.policy.environment)}

    def keyed(person: Person) -> Person:
        held = [key.model_copy(update={"installed": person.id in weak}) for key in person.keys]
        return person.model_copy(update={"keys": held})

    those = governance.people.model_copy(update={"people": [keyed(person) for person in governance.people.people]})
    return replace(governance, policy=Policy.model_validate(policy), people=those)


def _with_new_keys(policy: Policy, people: People, state: Path) -> Governance:
    """Return governance with new keys for the same people and machines.

    A new key is marked as created by `hallmark init` if all existing keys of the person or machine have this mark.
    """

    def new(name: str, held: list[Key]) -> list[Key]:
        line = keys.create_key_pair(state / "keys", name)
        return [Key(public_key=line, installed=all(key.installed for key in held))]

    def keyed(person: Person) -> Person:
        return person.model_copy(update={"keys": new(person.id, person.keys)})

    machines = {name: Machine(keys=new(name, people.keys_of_machine(name))) for name in MACHINES}
    rekeyed = People(people=[keyed(person) for person in people.people], machines=machines)
    return Governance(state, policy, rekeyed, state)
