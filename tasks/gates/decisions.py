"""People decide: approve, reject, waive, withdraw. What they sign is in signed_decision.py, what counts in weigh.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks.core.config import clear
from tasks.core.errors import InputError, Refused
from tasks.gates import docket
from tasks.gates.docket import Case
from tasks.gates.evidence import Evidence, check_asks
from tasks.gates.gates import judge
from tasks.gates.missing import barred, eligible, needed
from tasks.gates.signed_decision import KIND, Decision, Signed, Verb, statement
from tasks.gates.weigh import another_role, deadline, not_waivable, roles_before, roles_for, weigh
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import signed_entry
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.signed_entry import Draft
from tasks.trust import keys
from tasks.trust.keys import Signer

VERBS: tuple[Verb, ...] = ("approve", "reject", "waive", "withdraw")


def decide(
    ledger: Ledger,
    governance: Governance,
    evidence: Evidence,
    person_id: str,
    verb: Verb,
    reason: str,
    role: str | None = None,
    checks: Sequence[str] = (),
    expires: datetime | None = None,
    signer: Signer | None = None,
) -> Entry:
    """Sign a decision on `evidence` and record it. The same decision twice is one: the first entry comes back.

    `role` may be left out where the person holds only one that the gate asks. `checks` and `expires` (with a time
    zone) belong to waive. `signer` signs for the person; left out, it is the one that `Governance.signer` finds. While
    it does, others write to the ledger: the rules are asked before, and again before it is recorded.

    Raises Refused where the rules say no, InputError where something is missing or wrong.
    """
    person = _person(governance, evidence, person_id, ledger.now())
    _form(verb, reason, checks, expires)
    signer = governance.signer(person, ledger.now(), signer)
    wish = _Wish(person, signer, verb, reason.strip(), role, sorted(set(checks)), expires)
    return signed_entry.record(ledger, governance, person, lambda: _draft(ledger, governance, evidence, wish), signer)


def decide_demo(ledger: Ledger, governance: Governance, evidence: Evidence) -> list[Entry]:
    """Let demo people give every approval that the gate still waits for; a failed check stays failed.

    Raises Refused outside environment local and on a run that is not a demo run.
    """
    if not governance.local:
        raise Refused(f"demo approvals count in environment local alone, this is {governance.policy.environment}")
    if not evidence.demo:
        raise Refused(f"run {evidence.run} was not started with --demo-approvals; its people must decide")
    entries = []
    with ledger.transaction():
        case = docket.current(ledger, evidence)
        if judge(evidence, governance, ledger, ledger.now()).state != "waiting":
            return []
        now = ledger.now()
        weighed = weigh(case, governance, ledger, now)
        for role, count, given in needed(evidence, weighed):
            demo = [person for person in eligible(evidence, governance, role, weighed, now) if person.demo]
            for person in demo[: max(0, count - len(given))]:
                entries.append(decide(ledger, governance, evidence, person.id, "approve", "demo approval", role=role))
    return entries


@dataclass(frozen=True)
class _Wish:
    """What somebody wants decided."""

    person: Person
    signer: Signer
    verb: Verb
    reason: str
    role: str | None
    checks: list[str]
    expires: datetime | None


def _draft(ledger: Ledger, governance: Governance, evidence: Evidence, wish: _Wish) -> Entry | list[Draft]:
    """The decision to sign, if the rules allow it as things stand; or the entry that says the same."""
    person, case, now = wish.person, _open_case(ledger, governance, evidence), ledger.now()
    weighed = weigh(case, governance, ledger, now)
    own = [w.signed for w in weighed if w.signed and w.decision and w.decision.person == person.id]
    withdraws = wish.verb == "withdraw"
    decision = Decision(
        verb=wish.verb,
        person=person.id,
        role="" if withdraws else _role(governance, evidence, person, now, wish.verb, wish.role),
        run=evidence.run,
        gate=evidence.gate,
        policy_sha256=evidence.policy_sha256,
        use_case=evidence.use_case,
        tier=evidence.tier,
        purpose_sha256=evidence.purpose_sha256,
        demo=evidence.demo,
        reason=wish.reason,
        checks=wish.checks,
        expires=_expiry(wish.expires, now),
        withdraws=_withdrawn(own, wish.role) if withdraws else [],
        time=now,
    )
    same = next((signed.entry for signed in own if _same(signed.decision, decision)), None)
    if same is not None:
        return same
    _consistent(decision, case, own)
    _as_policy_allows(decision, case, own, governance, ledger, wish.signer)
    subject = evidence.subject
    return [Draft(KIND, subject.sha256, statement(decision, subject.stage, subject.sha256, case.sha256))]


def _person(governance: Governance, evidence: Evidence, person_id: str, now: datetime) -> Person:
    person = governance.actor(person_id, now)
    if person.id == evidence.requested_by:
        raise Refused(f"{person.id} asked for run {evidence.run}; nobody decides on their own run")
    if person.demo and not evidence.demo:
        raise Refused(f"{person.id} is a demo identity and decides only on runs made with --demo-approvals")
    return person


def _form(verb: str, reason: str, checks: Sequence[str], expires: datetime | None) -> None:
    """What belongs to which verb."""
    if verb not in VERBS:
        raise InputError(f"expected one of {', '.join(VERBS)}, got {verb!r}")
    clear(reason, "the reason")
    if not any(map(str.isalnum, reason)):
        raise InputError(f"to {verb} give a reason in words, so that others can follow it later")
    if verb == "waive" and (not checks or expires is None):
        raise InputError("a waiver names the failed checks it is for and when it expires")
    if verb != "waive" and (checks or expires is not None):
        raise InputError(f"checks and expiry belong to waive, not to {verb}")


def _open_case(ledger: Ledger, governance: Governance, evidence: Evidence) -> Case:
    """The recorded case, if it still takes decisions."""
    case = docket.current(ledger, evidence)
    rules = governance.policy.gate(evidence.tier, evidence.gate)
    if evidence.policy_sha256 != governance.policy.digest():
        raise Refused(f"policy changed after gate {evidence.gate} of run {evidence.run} was asked; it must ask again")
    check_asks(evidence, governance.policy)
    if evidence.demo and not governance.local:
        raise Refused(f"demo runs count in environment local alone, this is {governance.policy.environment}")
    if case.closed is not None:
        raise Refused(
            f"gate {evidence.gate} of run {evidence.run} closed on {case.closed.time:%Y-%m-%d %H:%M} UTC "
            f"({case.closed.body.get('state')}) and takes no more decisions"
        )
    if ledger.now() > deadline(case, rules):
        raise Refused(f"the deadline of gate {evidence.gate} passed on {deadline(case, rules):%Y-%m-%d %H:%M} UTC")
    return case


def _role(
    governance: Governance, evidence: Evidence, person: Person, now: datetime, verb: Verb, role: str | None
) -> str:
    asked, has = roles_for(verb, evidence.asks), person.roles_at(now)
    if not asked:
        raise Refused(f"policy asks nobody to {verb} at gate {evidence.gate} in risk tier {evidence.tier}")
    if role is not None and role not in has:
        raise Refused(f"{person.id} does not hold role {role}; people.yaml gives {', '.join(has)}")
    if role is not None and role not in asked:
        raise Refused(f"gate {evidence.gate} does not ask role {role} to {verb}; it asks {', '.join(asked)}")
    held = [name for name in asked if name in has and role in (None, name)]
    if not held:
        raise Refused(
            f"to {verb} at gate {evidence.gate} takes role {' or '.join(asked)}; {person.id} holds {', '.join(has)}"
        )
    if verb == "approve" and all(person.id in barred(evidence, name) for name in held):
        raise Refused(
            f"{person.id} owns all sources of this run; policy wants somebody besides them in role "
            f"{evidence.asks.besides_owner}"
        )
    if verb == "approve" and not _may_approve(evidence, person, held):
        raise Refused(f"{person.id} owns no source of this run; at gate {evidence.gate} its owners approve: "
                      f"{', '.join(evidence.asks.owners)}")  # fmt: skip
    if len(held) > 1:
        raise InputError(f"{person.id} holds {' and '.join(held)}; say in which role they {verb}")
    return held[0]


def _may_approve(evidence: Evidence, person: Person, roles: Sequence[str]) -> bool:
    """Whether one of the roles is not for owners alone, or the person is one."""
    for_owners = {named.role for named in evidence.asks.roles if named.owners and evidence.asks.owners}
    return person.id in evidence.asks.owners or not set(roles) <= for_owners


def _expiry(expires: datetime | None, now: datetime) -> datetime | None:
    if expires is None:
        return None
    if expires.tzinfo is None:
        raise InputError(f"the expiry {expires} has no time zone; give one, for example 2026-12-31T00:00:00Z")
    if expires <= now:
        raise InputError(f"the expiry {expires.isoformat()} is not ahead of now, {now:%Y-%m-%dT%H:%M:%SZ}")
    return expires


def _withdrawn(own: list[Signed], role: str | None) -> list[str]:
    return sorted(s.sha256 for s in own if s.decision.verb != "withdraw" and role in (None, s.decision.role))


def _same(earlier: Decision, new: Decision) -> bool:
    """Whether a standing decision already says it; withdrawing nothing repeats the last withdrawal."""
    if new.verb == "withdraw" and not new.withdraws:
        return earlier.verb == "withdraw" and earlier.run == new.run
    return earlier.same_as(new)


def _consistent(decision: Decision, case: Case, own: list[Signed]) -> None:
    """What a decision may be about, given the checks and what the person has decided before."""
    if decision.verb == "withdraw" and not decision.withdraws:
        raise Refused(f"{decision.person} has no decision at gate {decision.gate} of run {decision.run} to withdraw")
    if decision.verb == "approve" and any(s.decision.verb == "reject" for s in own):
        raise Refused(f"{decision.person} has rejected at gate {decision.gate}; withdraw that before approving")
    failed = {check.name for check in case.evidence.checks if check.verdict == "failed"}
    for name in decision.checks:
        if name not in failed:
            raise Refused(f"check {name!r} did not fail; waivers are for {', '.join(sorted(failed)) or 'none'}")


def _strong_enough(person: Person, case: Case, governance: Governance, signer: Signer) -> None:
    rules = governance.policy.gate(case.evidence.tier, case.evidence.gate)
    if why_not := governance.too_weak(person, rules.signature, keys.fingerprint(signer.public_line)):
        raise Refused(
            f"{why_not}; see `hallmark identity list`, and where several keys are at hand move the others away"
        )


def _as_policy_allows(
    decision: Decision, case: Case, own: list[Signed], governance: Governance, ledger: Ledger, signer: Signer
) -> None:
    """With which keys, how long and what may be waived, and in how many roles one person decides."""
    _strong_enough(governance.actor(decision.person, decision.time), case, governance, signer)
    why_not = ""
    if decision.verb == "waive":
        why_not = not_waivable(decision, case.evidence.asks, decision.time)
    roles = roles_before(case, governance, ledger)
    if roles is not None:
        for standing in own:
            another_role(standing.decision, roles)
        why_not = why_not or another_role(decision, roles)
    if why_not:
        raise Refused(why_not)
