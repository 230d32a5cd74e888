"""A gate, from the question to the answer: `ask`, people `decide` (decisions.py), `settle`, then statement.py.

`judge` believes nothing but the recorded evidence, the policy and the signatures: verdicts are computed again, and so
is whether each decision counts (weigh.py).
"""

from datetime import datetime
from typing import Literal

from tasks.config import Frozen
from tasks.errors import InputError, Refused
from tasks.govern import docket
from tasks.govern.docket import Case, ask, waiting
from tasks.govern.evidence import CheckResult, Evidence, check_result
from tasks.govern.governance import Governance
from tasks.govern.ledger import Ledger
from tasks.govern.people import Person
from tasks.govern.policy import Check, Gate, GateName
from tasks.govern.signed_decision import KIND, claimed
from tasks.govern.weigh import Weighed, deadline, weigh
from tasks.params import Sha256

__all__ = ["CheckStanding", "DecisionStanding", "Standing", "ask", "close", "judge", "settle", "waiting"]

State = Literal["passed", "failed", "rejected", "waiting", "expired"]


class CheckStanding(Frozen):
    """A check, and the waiver that lets it pass all the same, if there is one."""

    result: CheckResult
    waived_by: str | None = None
    waived_until: datetime | None = None

    @property
    def holds(self) -> bool:
        return self.result.verdict != "failed" or self.waived_by is not None


class DecisionStanding(Frozen):
    """A decision in the ledger, and whether it counts."""

    seq: int
    time: datetime
    person: str
    verb: str
    role: str
    reason: str
    counted: bool
    why_not: str
    """Empty where it counts."""


class Standing(Frozen):
    """Where a gate stands."""

    gate: GateName
    run: str
    evidence_sha256: Sha256
    state: State
    checks: list[CheckStanding]
    decisions: list[DecisionStanding]
    waiting_for: list[str]
    """In words, one for each thing that is missing; also what was missing where it expired or failed."""
    deadline: datetime
    as_of: int
    """seq of the newest decision that was looked at."""


def judge(evidence: Evidence, governance: Governance, ledger: Ledger, now: datetime) -> Standing:
    """Where the gate of `evidence` stands at `now`, the ledger's time.

    Raises Refused where the evidence is not the one on record, or not what policy and figures give.
    """
    case = docket.current(ledger, evidence)
    rules = _rules(evidence, governance)
    weighed = weigh(case, governance, ledger, now)
    checks = [_check_standing(result, weighed) for result in evidence.checks]
    missing = _missing_checks(checks, rules) + _missing_roles(evidence, governance, rules, weighed)
    return Standing(
        gate=evidence.gate,
        run=evidence.run,
        evidence_sha256=case.sha256,
        state=_state(case, rules, ledger, now, weighed, checks, bool(missing)),
        checks=checks,
        decisions=[_decision_standing(w) for w in weighed],
        waiting_for=missing,
        deadline=deadline(case, rules),
        as_of=max((w.entry.seq for w in weighed), default=case.entry.seq),
    )


def settle(ledger: Ledger, governance: Governance, evidence: Evidence) -> Standing:
    """Judge, and close the gate where it no longer waits, with no decision able to slip in between."""
    with ledger.transaction():
        standing = judge(evidence, governance, ledger, ledger.now())
        if standing.state != "waiting":
            close(ledger, evidence, standing)
    return standing


def close(ledger: Ledger, evidence: Evidence, standing: Standing) -> None:
    """Record, once, that the gate takes no more decisions. Raises Refused where a decision is still to be judged."""
    if standing.state == "waiting":
        raise InputError(f"gate {evidence.gate} of run {evidence.run} still waits; only a settled gate can be closed")
    with ledger.transaction():
        case = docket.current(ledger, evidence)
        if standing.evidence_sha256 != case.sha256:
            raise Refused(f"the standing is that of other evidence than gate {evidence.gate} of run {evidence.run}")
        if docket.closing(ledger, case) is None and ledger.entries(KIND, evidence.subject.sha256, standing.as_of):
            raise Refused("a decision came in after the gate was judged; judge it again")
        docket.record_closing(ledger, case, {"gate": evidence.gate, "run": evidence.run, "state": standing.state})


def _rules(evidence: Evidence, governance: Governance) -> Gate:
    """The gate's rules, once the evidence is known to follow from them."""
    if evidence.policy_sha256 != governance.policy.digest():
        raise Refused(
            f"the evidence of gate {evidence.gate} in run {evidence.run} was gathered under another policy "
            f"({evidence.policy_sha256[:12]}, now {governance.policy.digest()[:12]}); gather it again"
        )
    rules = governance.policy.gate(evidence.tier, evidence.gate)
    own = [check_result(check, evidence.facts) for check in rules.checks]
    others = evidence.checks[len(own) :]
    if evidence.checks[: len(own)] != own or (others and not rules.success_metrics):
        raise Refused("the evidence's checks are not those that policy asks and its figures give")
    if others != [check_result(_as_check(result), evidence.facts) for result in others]:
        raise Refused("the verdict of a success metric is not the one that its figure gives")
    return rules


def _as_check(result: CheckResult) -> Check:
    return Check(**result.model_dump(include={"name", "fact", "bound", "at_least", "at_most"}))


def _check_standing(result: CheckResult, weighed: list[Weighed]) -> CheckStanding:
    if result.verdict == "failed":
        for w in weighed:
            decision = w.signed.decision if w.signed and w.counts else None
            if decision and decision.verb == "waive" and result.name in decision.checks:
                return CheckStanding(result=result, waived_by=decision.person, waived_until=decision.expires)
    return CheckStanding(result=result)


def _missing_checks(checks: list[CheckStanding], rules: Gate) -> list[str]:
    way = f"a waiver by role {rules.waive}" if rules.waive else "other outputs: policy lets nobody waive it"
    return [
        f"check {check.result.name!r} failed ({_shown(check.result)}); it needs {way}"
        for check in checks
        if not check.holds
    ]


def _shown(result: CheckResult) -> str:
    wanted = f"at least {result.at_least:g}" if result.at_least is not None else f"at most {result.at_most:g}"
    figure = {"value": result.value, "low": result.low, "high": result.high}[result.bound]
    bound = "" if result.bound == "value" else f" {result.bound} end"
    return f"{result.fact}{bound} {'does not exist' if figure is None else f'is {figure:g}'}, wanted {wanted}"


def _missing_roles(evidence: Evidence, governance: Governance, rules: Gate, weighed: list[Weighed]) -> list[str]:
    missing = []
    for role, count, given in needed(rules, weighed):
        left = count - len(given)
        if left > 0:
            able = ", ".join(person.id for person in eligible(evidence, governance, role, given))
            people = f"of {able}" if able else "and nobody in people.yaml may give it on this run"
            missing.append(f"{left} approval{'s' if left > 1 else ''} in role {role}, {people}")
    return missing


def needed(rules: Gate, weighed: list[Weighed]) -> list[tuple[str, int, set[str]]]:
    """Each role that must approve, how many of it, and who has."""
    given: dict[str, set[str]] = {}
    for w in weighed:
        if w.signed and w.counts and w.signed.decision.verb == "approve":
            given.setdefault(w.signed.decision.role, set()).add(w.signed.decision.person)
    return [(role.role, role.count, given.get(role.role, set())) for role in rules.decisions]


def eligible(evidence: Evidence, governance: Governance, role: str, given: set[str]) -> list[Person]:
    """Who may still approve in a role."""
    return [
        person
        for person in governance.people.with_role(role)
        if person.id != evidence.requested_by and person.id not in given and (evidence.demo or not person.demo)
    ]


def _state(
    case: Case,
    rules: Gate,
    ledger: Ledger,
    now: datetime,
    weighed: list[Weighed],
    checks: list[CheckStanding],
    missing: bool,
) -> State:
    if any(w.signed and w.counts and w.signed.decision.verb == "reject" for w in weighed):
        return "rejected"
    if not missing:
        return "passed"
    failing = not all(check.holds for check in checks)
    if failing and not rules.waive:
        return "failed"
    if now > deadline(case, rules):
        return "expired"
    return "failed" if docket.closing(ledger, case) else "waiting"


def _decision_standing(w: Weighed) -> DecisionStanding:
    person, verb = claimed(w.entry)
    decision = w.signed.decision if w.signed else None
    return DecisionStanding(
        seq=w.entry.seq,
        time=w.entry.time,
        person=person,
        verb=verb,
        role=decision.role if decision else "",
        reason=decision.reason if decision else "",
        counted=w.counts,
        why_not=w.why_not,
    )
