"""Decisions of people: approve, reject, waive, withdraw.

signed_decision.py has the signed document, and rules/ determines which decisions count.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tasks.core.documents.config import validate_reason
from tasks.core.errors import HallmarkError, InputError, Refused
from tasks.core.utc import to_utc
from tasks.gates import cases
from tasks.gates.cases import GateCase
from tasks.gates.decision_validity import earlier_roles, gate_deadline, verify_decisions
from tasks.gates.evidence import Evidence, verify_required_decisions
from tasks.gates.gates import judge_gate
from tasks.gates.missing_decisions import eligible_approvers, required_approvals
from tasks.gates.rules import all_rules, other_decisions
from tasks.gates.rules.claim import DecisionClaim
from tasks.gates.rules.person import roles_for
from tasks.gates.signed_decision import (
    ENTRY_KIND,
    Decision,
    SignedDecision,
    Verb,
    decision_statement,
    unverified_person_and_verb,
)
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy import signed_entry
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.policy.signed_entry import Draft
from tasks.trust import dsse, keys
from tasks.trust.keys import Signer
from tasks.trust.statement_checks import statements_changed_error

DECISION_VERBS: tuple[Verb, ...] = ("approve", "reject", "waive", "withdraw")


@dataclass(frozen=True)
class DecisionDraft:
    verb: Verb
    reason: str
    role: str | None = None
    """Role in which to decide; None if the person holds only one of the roles that the gate requires."""
    checks: Sequence[str] = ()
    expires: datetime | None = None


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
    """Sign a decision about `evidence`, record it and return its entry. Repeating a decision returns the first entry.

    The rules are applied before signing and again before the entry is recorded, because others can write to the ledger
    in the meantime.

    Args:
        ledger: Ledger to record in.
        governance: Governance in force.
        evidence: Evidence of the gate.
        person_id: Id of the person who decides.
        verb: Kind of decision.
        reason: Reason that the person gives.
        role: Role in which to decide; None if the person holds only one of the roles that the gate requires.
        checks: Names of the checks to waive.
        expires: End of a waiver, with a time zone.
        signer: Key to sign with; None to search for the person's key.

    Raises:
        Refused: The rules do not allow the decision.
        InputError: A value is missing or not valid.
    """
    draft = _valid_draft(
        ledger, governance, DecisionDraft(verb, reason, role, tuple(checks), expires), person_id, signer
    )
    return signed_entry.sign_and_record(
        ledger, governance, draft.person, lambda: _draft_or_entry(ledger, governance, evidence, draft), draft.signer
    )


def prepare_decision(
    ledger: Ledger,
    governance: Governance,
    evidence: Evidence,
    person_id: str,
    requested: DecisionDraft,
    public_key: str,
) -> Entry | Sequence[Draft]:
    """Return an unsigned decision for a person who signs elsewhere, or its ledger entry if it was recorded before.

    `public_key` is the public half of the key with which the person will sign. The same errors are raised as by
    `decide`.
    """
    draft = _valid_draft(ledger, governance, requested, person_id, Signer(public_key, _signs_elsewhere))
    return signed_entry.prepare_statements(ledger, lambda: _draft_or_entry(ledger, governance, evidence, draft))


def try_decision(
    ledger: Ledger,
    governance: Governance,
    evidence: Evidence,
    person_id: str,
    requested: DecisionDraft,
    public_key: str,
) -> Entry | Sequence[Draft]:
    """Prepare a decision without a transaction, for callers that only test whether it would be accepted."""
    return _draft_or_entry(
        ledger,
        governance,
        evidence,
        _valid_draft(ledger, governance, requested, person_id, Signer(public_key, _signs_elsewhere)),
    )


def require_allowed(
    ledger: Ledger, governance: Governance, evidence: Evidence, person_id: str, requested: DecisionDraft
) -> None:
    """Verify that a decision would be accepted now if the person signed it with one of their valid keys.

    Only public keys are read, so nobody is asked for a passphrase. The same errors are raised as by `decide`.
    """
    now, refusals = ledger.now(), []
    for key in governance.keys_of(governance.require_actor(person_id, now)):
        if key.is_valid(now):
            try:
                try_decision(ledger, governance, evidence, person_id, requested, key.public_key)
            except HallmarkError as error:
                refusals.append(error)
            else:
                return
    if refusals:
        raise refusals[0]


def record_signed_decision(
    ledger: Ledger, governance: Governance, evidence: Evidence, person_id: str, requested: DecisionDraft,
    envelope: dict[str, Any],
    public_key: str,
) -> Entry:  # fmt: skip
    """Record a decision that a person has signed elsewhere.

    Raises:
        Refused: The rules do not allow the decision, the envelope contains another decision, or somebody else signed
            it.
        InputError: A value is missing or not valid.
    """
    draft = _valid_draft(ledger, governance, requested, person_id, Signer(public_key, _signs_elsewhere))

    def drafts() -> Entry | Sequence[Draft]:
        drawn = _draft_or_entry(ledger, governance, evidence, draft)
        if not isinstance(drawn, Entry):
            _require_latest(ledger, evidence, person_id, envelope)
        return drawn

    return signed_entry.record_signed_statements(ledger, governance, draft.person, drafts, [envelope])


def _require_latest(ledger: Ledger, evidence: Evidence, person_id: str, envelope: dict[str, Any]) -> None:
    """Refuse a decision that was signed before the person's newest one.

    Otherwise somebody could hold back a signature and use it later to override that person's newest decision.
    """
    try:
        signed = to_utc(datetime.fromisoformat(dsse.unverified_statement(envelope)["predicate"]["time"]))
    except (KeyError, TypeError, ValueError):
        raise statements_changed_error() from None
    for entry in ledger.entries(ENTRY_KIND, evidence.subject.sha256):
        if unverified_person_and_verb(entry)[0] == person_id and entry.time > signed:
            raise Refused(f"{person_id} has said something else here since this was signed; look and sign anew")


def _signs_elsewhere(_: bytes) -> bytes:
    raise AssertionError("whoever holds this key signs where the key is")


def approve_as_demo_identities(ledger: Ledger, governance: Governance, evidence: Evidence) -> list[Entry]:
    """Record every approval that the gate still needs, signed by demo identities. Failed checks stay failed.

    Raises:
        Refused: The environment is not `local`, or the run is not a demo run.
    """
    if not governance.is_local:
        raise Refused(f"demo approvals count in environment local alone, this is {governance.policy.environment}")
    if not evidence.demo:
        raise Refused(f"run {evidence.run} was not started with --demo-approvals; its people must decide")
    entries = []
    with ledger.transaction():
        case = cases.current_case(ledger, evidence)
        if judge_gate(evidence, ledger, governance, ledger.now()).state != "waiting":
            return []
        now = ledger.now()
        weighed = verify_decisions(case, ledger, governance, now)
        for role, count, given in required_approvals(evidence, weighed):
            demo = [person for person in eligible_approvers(evidence, governance, role, weighed, now) if person.demo]
            for person in demo[: max(0, count - len(given))]:
                entries.append(decide(ledger, governance, evidence, person.id, "approve", "demo approval", role=role))
    return entries


@dataclass(frozen=True)
class _ValidDraft(DecisionDraft):
    person: Person = field(kw_only=True)
    signer: Signer = field(kw_only=True)


def _valid_draft(
    ledger: Ledger, governance: Governance, requested: DecisionDraft, person_id: str, signer: Signer | None
) -> _ValidDraft:
    person = governance.require_actor(person_id, ledger.now())
    _require_fields(requested.verb, requested.reason, requested.checks, requested.expires)
    signer = governance.find_signer(person, ledger.now(), signer)
    tidy = replace(requested, reason=requested.reason.strip(), checks=sorted(set(requested.checks)))
    return _ValidDraft(tidy.verb, tidy.reason, tidy.role, tidy.checks, tidy.expires, person=person, signer=signer)


def _draft_or_entry(
    ledger: Ledger, governance: Governance, evidence: Evidence, draft: _ValidDraft
) -> Entry | list[Draft]:
    case, now = _current_case(ledger, governance, evidence), ledger.now()
    weighed = verify_decisions(case, ledger, governance, now)
    own = [w.signed for w in weighed if w.signed and w.decision and w.decision.person == draft.person.id]
    decision = _only_allowed(
        [_claim(role, draft, own, case, governance, now) for role in _candidate_roles(draft, evidence, now)]
    )
    same = next((signed.entry for signed in own if _is_repetition(signed.decision, decision)), None)
    if same is not None:
        return same
    _require_consistent(decision, own)
    _require_one_role(decision, own, earlier_roles(case, ledger, governance))
    subject = evidence.subject
    return [Draft(ENTRY_KIND, subject.sha256, decision_statement(decision, subject.stage, subject.sha256, case.sha256))]


def _candidate_roles(draft: _ValidDraft, evidence: Evidence, now: datetime) -> list[str]:
    """Return the roles in which the person could decide: the role in the draft, or else each required role they hold.

    If the person holds none of the required roles, the first of them is returned, so that the rules refuse the decision
    with a reason.
    """
    if draft.verb == "withdraw":
        return [""]
    if draft.role is not None:
        return [draft.role]
    asked, held = roles_for(draft.verb, evidence.asks), draft.person.roles_at(now)
    return [role for role in asked if role in held] or asked[:1] or [""]


def _claim(
    role: str, draft: _ValidDraft, own: list[SignedDecision], case: GateCase, governance: Governance, now: datetime
) -> DecisionClaim:
    evidence = case.evidence
    decision = Decision(
        verb=draft.verb,
        person=draft.person.id,
        role=role,
        run=evidence.run,
        gate=evidence.gate,
        policy_sha256=evidence.policy_sha256,
        use_case=evidence.use_case,
        tier=evidence.tier,
        purpose_sha256=evidence.purpose_sha256,
        demo=evidence.demo,
        reason=draft.reason,
        checks=list(draft.checks),
        expires=draft.expires,
        withdraws=_withdrawn_digests(own, draft.role) if draft.verb == "withdraw" else [],
        time=now,
    )
    return DecisionClaim(
        decision=decision,
        person=draft.person,
        key_fingerprint=keys.fingerprint(draft.signer.public_line),
        stage=evidence.subject.stage,
        subject_sha256=evidence.subject.sha256,
        evidence=evidence,
        own_evidence=evidence,
        policy=governance.policy,
        effective_at=now,
        recorded_at=now,
        now=now,
        deadline=gate_deadline(case.opened_at, governance.policy.gate(evidence.tier, evidence.gate)),
        closing_entry=case.closing_entry,
    )


def _only_allowed(claims: list[DecisionClaim]) -> Decision:
    objections = [all_rules.refusal_reason(claim) for claim in claims]
    if all(objections):
        raise Refused(str(objections[0]))
    if len(claims) > 1:
        held = " and ".join(claim.decision.role for claim in claims)
        said = claims[0].decision
        raise InputError(f"{said.person} holds {held}; say in which role they {said.verb}")
    return claims[0].decision


def _require_fields(verb: str, reason: str, checks: Sequence[str], expires: datetime | None) -> None:
    if verb not in DECISION_VERBS:
        raise InputError(f"expected one of {', '.join(DECISION_VERBS)}, got {verb!r}")
    validate_reason(reason)
    if verb == "waive" and (not checks or expires is None):
        raise InputError("a waiver names the failed checks it is for and when it expires")
    if verb != "waive" and (checks or expires is not None):
        raise InputError(f"checks and expiry belong to waive, not to {verb}")
    if expires is not None and expires.tzinfo is None:
        raise InputError(f"the expiry {expires} has no time zone; give one, for example 2026-12-31T00:00:00Z")


def _current_case(ledger: Ledger, governance: Governance, evidence: Evidence) -> GateCase:
    case = cases.current_case(ledger, evidence)
    if evidence.policy_sha256 != governance.policy.digest():
        raise Refused(f"policy changed after gate {evidence.gate} of run {evidence.run} was asked; it must ask again")
    verify_required_decisions(evidence, governance.policy)
    if evidence.demo and not governance.is_local:
        raise Refused(f"demo runs count in environment local alone, this is {governance.policy.environment}")
    return case


def _withdrawn_digests(own: list[SignedDecision], role: str | None) -> list[str]:
    return sorted(s.sha256 for s in own if s.decision.verb != "withdraw" and role in (None, s.decision.role))


def _is_repetition(earlier: Decision, new: Decision) -> bool:
    """Return whether a new decision repeats an earlier one.

    A withdrawal with no decision left to withdraw counts as a repetition of an earlier withdrawal in the same run.
    """
    if new.verb == "withdraw" and not new.withdraws:
        return earlier.verb == "withdraw" and earlier.run == new.run
    return earlier.same_as(new)


def _require_consistent(decision: Decision, own: list[SignedDecision]) -> None:
    """Refuse a withdrawal with nothing to withdraw, and an approval by a person whose rejection is still valid."""
    if decision.verb == "withdraw" and not decision.withdraws:
        raise Refused(f"{decision.person} has no decision at gate {decision.gate} of run {decision.run} to withdraw")
    if decision.verb == "approve" and any(s.decision.verb == "reject" for s in own):
        raise Refused(f"{decision.person} has rejected at gate {decision.gate}; withdraw that before approving")


def _require_one_role(decision: Decision, own: list[SignedDecision], earlier: dict[str, str] | None) -> None:
    """Refuse a decision in a second role, unless policy allows several roles.

    `earlier` maps each person to their role at the run's earlier gates. It is None if policy allows several roles.
    """
    if earlier is None:
        return
    if why_not := other_decisions.refuse_second_role(
        decision, other_decisions.first_roles([signed.decision for signed in own], earlier)
    ):
        raise Refused(why_not)
