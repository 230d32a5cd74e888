"""Which decisions count at a gate. Each is verified again from its envelope, and each that does not count says why.

The rules, in the order in which they are tried, are the functions at the end of this file.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tasks.core.errors import HallmarkError, Refused
from tasks.core.graph import GATES
from tasks.gates import docket, signed_request
from tasks.gates.docket import Asked, Case
from tasks.gates.evidence import Asks, Evidence
from tasks.gates.signed_decision import KIND, Decision, Signed, read
from tasks.gates.signed_request import SignedRequest
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.governance import Governance
from tasks.policy.policy import Gate, Policy
from tasks.trust.validity import shown


@dataclass(frozen=True)
class Weighed:
    """An entry of the ledger that says it is a decision about a gate's subject."""

    entry: Entry
    signed: Signed | None
    """None: the envelope does not verify."""
    carried: bool
    """Made at an earlier run's gate on the same output."""
    why_not: str
    """Why it does not count; empty where it does."""

    @property
    def decision(self) -> Decision | None:
        """What it says, if it counts."""
        return self.signed.decision if self.signed and not self.why_not else None


@dataclass(frozen=True)
class _Bench:
    """What decisions are held against."""

    case: Case
    rules: Gate
    governance: Governance
    now: datetime


def weigh(case: Case, governance: Governance, ledger: Ledger, now: datetime) -> list[Weighed]:
    """Every decision about the case's subject, oldest first."""
    rules = governance.policy.gate(case.evidence.tier, case.evidence.gate)
    bench = _Bench(case, rules, governance, now)
    weighed = [_weigh_one(entry, bench, ledger) for entry in ledger.entries(KIND, case.evidence.subject.sha256)]
    return _in_one_role(_without_repeats(_without_withdrawn(weighed)), roles_before(case, governance, ledger))


def roles_before(case: Case, governance: Governance, ledger: Ledger) -> dict[str, str] | None:
    """In which role each person decided at the run's earlier gates; None where policy lets them take several."""
    evidence = case.evidence
    if governance.policy.tier(evidence.tier).separation.two_roles:
        return None
    roles: dict[str, str] = {}
    for gate in GATES[: GATES.index(evidence.gate)]:
        for earlier in docket.cases(ledger, evidence.run, gate)[-1:]:
            asked = (earlier.evidence.tier, earlier.evidence.policy_sha256)
            if earlier.closed and asked == (evidence.tier, evidence.policy_sha256):
                for w in weigh(earlier, governance, ledger, earlier.closed.time):
                    if w.decision and w.decision.verb in BINDING:
                        roles.setdefault(w.decision.person, w.decision.role)
    return roles


def _in_one_role(weighed: list[Weighed], roles: dict[str, str] | None) -> list[Weighed]:
    """Approvals and waivers of one person in a run count in one role; a rejection stops it in any."""
    if roles is None:
        return weighed
    result = []
    for w in weighed:
        why_not = another_role(w.decision, roles) if w.decision else ""
        result.append(replace(w, why_not=why_not) if why_not else w)
    return result


def another_role(decision: Decision, roles: dict[str, str]) -> str:
    """Why a decision does not count beside those that its person took in `roles`, where that is so; else it is added
    to them."""
    if decision.verb not in BINDING:
        return ""
    first = roles.setdefault(decision.person, decision.role)
    if first == decision.role:
        return ""
    return f"{decision.person} decides in role {first} in this run, and policy lets nobody decide in two"


def _weigh_one(entry: Entry, bench: _Bench, ledger: Ledger) -> Weighed:
    try:
        signed = read(entry, bench.governance)
        own = _own_case(signed, bench.case, ledger)
        if own is not None and own is not bench.case:
            require_requester(own.evidence, bench.governance, ledger)
    except HallmarkError as error:
        return Weighed(entry, None, False, str(error))
    if own is None:
        return Weighed(entry, signed, False, "it is about evidence that no gate has asked about")
    tests = (_scope, _closing, _person, _demo, _role, _waiver)
    why_not = next(filter(None, (test(signed, own, bench) for test in tests)), "")
    return Weighed(entry, signed, own is not bench.case, why_not)


def require_requester(evidence: Evidence, governance: Governance, ledger: Ledger) -> SignedRequest:
    """The request for the run. Raises Refused where who asked, as the evidence says, is not who signed it.

    Nobody decides on their own run, so that rests on no word of the evidence's.
    """
    asked = signed_request.require(ledger, governance, evidence.run)
    if not evidence.is_of(asked):
        raise Refused(f"the evidence of gate {evidence.gate} names another requester of run {evidence.run} than signed")
    return asked


def _own_case(signed: Signed, case: Case, ledger: Ledger) -> Case | None:
    """The case that a decision was made in: the one being judged, or an earlier run's."""
    if signed.decision.run == case.evidence.run and signed.evidence_sha256 == case.sha256:
        return case
    earlier = docket.cases(ledger, signed.decision.run, signed.decision.gate)
    return next((found for found in reversed(earlier) if found.sha256 == signed.evidence_sha256), None)


def _without_withdrawn(weighed: list[Weighed]) -> list[Weighed]:
    """A withdrawal reaches every copy of the envelopes it names, wherever it stands in the ledger."""
    withdrawn = {
        (w.decision.person, sha256): w.entry.seq
        for w in weighed
        if w.decision and w.decision.verb == "withdraw"
        for sha256 in w.decision.withdraws
    }
    result = []
    for w in weighed:
        by = withdrawn.get((w.decision.person, w.signed.sha256)) if w.decision and w.signed else None
        result.append(replace(w, why_not=f"withdrawn by entry {by}") if by else w)
    return result


def _without_repeats(weighed: list[Weighed]) -> list[Weighed]:
    seen: dict[tuple[object, ...], int] = {}
    result = []
    for w in weighed:
        if w.decision and w.decision.verb != "withdraw":
            said = w.decision
            key = (said.person, said.verb, said.role, *said.checks, said.expires)
            if key in seen:
                w = replace(w, why_not=f"says the same as entry {seen[key]}")
            seen.setdefault(key, w.entry.seq)
        result.append(w)
    return result


def deadline(case: Asked, rules: Gate) -> datetime:
    return case.entry.time + timedelta(days=rules.deadline_days)


SUITES = "inputs/suites.json"
BINDING = ("approve", "waive")
"""What lets something pass; separation of duties is about these."""


def _scope(signed: Signed, own: Case, bench: _Bench) -> str:
    """About this output, under this policy, on this evidence; at the data gate also on an earlier run's.

    What lets data pass does so for one use case. A rejection is about the data, whatever the card says.
    """
    evidence, decision = bench.case.evidence, signed.decision
    if (own.evidence.subject.sha256, own.evidence.policy_sha256) != (signed.subject_sha256, decision.policy_sha256):
        return "its evidence is about another output or policy than it says"
    if (own.evidence.use_case, own.evidence.tier, own.evidence.purpose_sha256) != (
        decision.use_case, decision.tier, decision.purpose_sha256
    ):  # fmt: skip
        return "its evidence is about another use case or risk tier than it says"
    if (signed.stage, signed.subject_sha256) != (evidence.subject.stage, evidence.subject.sha256):
        return "it is about another output"
    if decision.gate != evidence.gate:
        return f"it is about gate {decision.gate}"
    if decision.policy_sha256 != evidence.policy_sha256:
        return "it was made under another policy"
    if own is not bench.case and evidence.gate != "data":
        return "it is about the evidence of another run, and only data decisions carry over"
    if own.evidence.artefacts.get(SUITES) != evidence.artefacts.get(SUITES):
        return "other expectations were asked then"
    return another_purpose(decision, evidence, bench.governance.policy)


def another_purpose(decision: Decision, evidence: Evidence, policy: Policy) -> str:
    """Why an approval or waiver of data does not carry over to what `evidence` is about; empty where it does."""
    if decision.verb not in BINDING:
        return ""
    if decision.purpose_sha256 != evidence.purpose_sha256:
        told = f"use case {decision.use_case}"
        if decision.use_case == evidence.use_case:
            told += " with another problem, other users or other approved uses on its card"
        return f"it was made for {told}"
    if decision.tier != evidence.tier and not policy.reaches(decision.tier, evidence.tier):
        return f"it was made in risk tier {decision.tier}, and this run is in {evidence.tier}, which is no lower one"
    return ""


def _closing(signed: Signed, own: Case, bench: _Bench) -> str:
    for case in (own, bench.case):
        if case.closed is not None and case.closed.seq < signed.entry.seq:
            return f"it came after the gate had closed (entry {case.closed.seq})"
    if signed.time > deadline(own, bench.rules):
        return f"it came after the deadline of {deadline(own, bench.rules):%Y-%m-%d %H:%M} UTC"
    return ""


def _person(signed: Signed, own: Case, bench: _Bench) -> str:
    if signed.decision.time > signed.entry.time:  # by a clock set ahead a role or key would count before it does
        return f"it says that it was signed on {shown(signed.decision.time)}, and was recorded before"
    if not signed.person.roles_at(signed.time):
        return f"{signed.person.id} held no role on {shown(signed.time)}, as people.yaml says"
    if signed.person.id in (bench.case.evidence.requested_by, own.evidence.requested_by):
        return f"{signed.person.id} asked for the run, and nobody decides on their own run"
    return bench.governance.too_weak(signed.person, bench.rules.signature, signed.keyid)


def _demo(signed: Signed, own: Case, bench: _Bench) -> str:
    if (own.evidence.demo or signed.decision.demo) and not bench.case.evidence.demo:
        return "it was made on a demo run"
    if signed.person.demo and not bench.case.evidence.demo:
        return f"{signed.person.id} is a demo identity, and this is not a demo run"
    return ""


def _role(signed: Signed, own: Case, bench: _Bench) -> str:
    decision = signed.decision
    if decision.verb == "withdraw":
        return ""
    if decision.role not in signed.person.roles_at(signed.time):
        return f"{signed.person.id} did not hold role {decision.role} on {shown(signed.time)}"
    if decision.role not in roles_for(decision.verb, bench.case.evidence.asks):
        return f"gate {decision.gate} does not ask role {decision.role} to {decision.verb}"
    return ""


def roles_for(verb: str, asks: Asks) -> list[str]:
    """Roles that may approve, reject or waive at a gate."""
    asked = [role.role for role in asks.roles]
    waiving = [asks.waive.role] if asks.waive else []
    return {"approve": asked, "waive": waiving}.get(verb, list(dict.fromkeys(asked + waiving)))


def _waiver(signed: Signed, own: Case, bench: _Bench) -> str:
    """With an expiry ahead, and for a figure that is the very one that was waived."""
    decision = signed.decision
    if decision.verb != "waive":
        return ""
    if not decision.reason or not decision.checks or decision.expires is None:
        return "a waiver needs a reason, the checks it is for and an expiry"
    if decision.expires <= bench.now:
        return f"the waiver expired on {decision.expires:%Y-%m-%d %H:%M} UTC"
    if why_not := not_waivable(decision, bench.case.evidence.asks, min(signed.entry.time, decision.time)):
        return why_not
    for name in decision.checks:
        then, here = ([c for c in e.checks if c.name == name] for e in (own.evidence, bench.case.evidence))
        if then != here:
            return f"check {name!r} came out differently when it was waived"
    return ""


def not_waivable(decision: Decision, asks: Asks, signed_at: datetime) -> str:
    """Why policy does not allow a waiver of these checks for so long; empty where it does."""
    if asks.waive is None or decision.expires is None:
        return "policy lets nobody waive a check at this gate"
    beyond = [name for name in decision.checks if not asks.waive.covers(name)]
    if beyond:
        return f"policy lets nobody waive {', '.join(map(repr, beyond))}"
    latest = signed_at + timedelta(days=asks.waive.max_days)
    if decision.expires > latest:
        return (
            f"a waiver at gate {decision.gate} may last {asks.waive.max_days:g} days, until {latest:%Y-%m-%d %H:%M} "
            f"UTC, and this one is until {decision.expires:%Y-%m-%d %H:%M}"
        )
    return ""
