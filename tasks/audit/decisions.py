"""Chapter about the decisions and the policy under which they were made.

Decisions of demo identities are marked as such.
"""

from tasks.audit.artifacts import Artifacts
from tasks.audit.chapters import ClaimContent, chapter
from tasks.audit.dossier import Chapter, Table
from tasks.audit.release_facts import ReleaseFacts
from tasks.core.formatting import format_time
from tasks.registry.promote.release_decisions import LedgerDecision
from tasks.trust.gate_statement import GateName

POLICY, PEOPLE = "attestations/policy.json", "attestations/people.json"


def decisions_chapter(record: ReleaseFacts, shelf: Artifacts) -> Chapter:
    every = [(gate, it) for gate in record.contents.promotion.gates for it in record.decisions.get(gate, [])]
    table = Table(
        caption="Every decision in the ledger on what this run put to its gates",
        columns=["Gate", "Who", "Role", "Decided", "Reason", "When (UTC)", "Entry", "Counted"],
        rows=[[gate, record.display_id(it.decision.person), it.decision.role or "–", it.decision.verb,
               it.decision.reason or "–", f"{it.signed.effective_at:%Y-%m-%d %H:%M:%S}", str(it.entry.seq),
               "yes" if it.counted else "no"] for gate, it in every],
    )  # fmt: skip
    counted = [it for _, it in every if it.counted]
    said = [*_policy_claims(record, shelf)]
    for gate in record.contents.promotion.gates:
        said += _approval_claims(gate, record, shelf)
    said.append(_separation_claim(record, shelf, counted))
    said += [_waiver_claim(it, record, shelf) for it in counted if it.decision.verb == "waive"]
    return chapter(6, "decided", "Who decided, under which policy", [table], said)


def _policy_claims(record: ReleaseFacts, shelf: Artifacts) -> list[ClaimContent]:
    digest, adopted = record.policy_sha256, record.policies.at_promotion
    if adopted is None:
        text = f"Policy {digest[:12]}… was proposed with the run, and nobody had adopted it."
        return [("policy", text, [shelf.file(POLICY)])]
    text = f"Its gates were judged under policy {digest[:12]}…, {adopted.describe()}: it was in force at the promotion."
    said: list[ClaimContent] = [("policy", text, [shelf.file(POLICY), shelf.entry(adopted.entry)])]
    if record.policies.later:
        later = "; ".join(each.describe() for each in record.policies.later)
        text = f"Adopted after the promotion, so nothing here was judged under it: {later}."
        said.append(("history", text, [shelf.entry(each.entry) for each in record.policies.later]))
    return said


def _approval_claims(gate: GateName, record: ReleaseFacts, shelf: Artifacts) -> list[ClaimContent]:
    """Return claims about the approvals of a gate, by people, by demo identities, or only by checks.

    Only approvals by people have a kind that is evidence of human oversight.
    """
    who, statement = record.release.approved_by.get(gate, []), shelf.file(f"attestations/gates/{gate}.json")
    if not who:
        return [("checks", f"The {gate} gate was passed by its checks alone, as its policy allows.", [statement])]
    entries = [it for it in record.decisions.get(gate, []) if it.counted]
    people = [each for each in who if not record.is_demo(each.partition(" as ")[0])]
    demo = [each for each in who if each not in people]
    said: list[ClaimContent] = []
    if people:
        artifacts = [shelf.entry(it.entry) for it in entries if not record.is_demo(it.decision.person)]
        said.append(("decision", f"The {gate} gate was approved by {', '.join(people)}.", [*artifacts, statement]))
    if demo:
        artifacts = [shelf.entry(it.entry) for it in entries if record.is_demo(it.decision.person)]
        text = f"The {gate} gate was passed by demo identities ({', '.join(demo)}): no person looked at it for them."
        said.append(("demonstration", text, [*artifacts, statement]))
    return said


def _separation_claim(record: ReleaseFacts, shelf: Artifacts, counted: list[LedgerDecision]) -> ClaimContent:
    files = [shelf.file(PEOPLE), shelf.file(POLICY)]
    if record.release.demo:
        text = "Demo identities decided, so nothing here shows that who asks and who decides are kept apart."
        return "demonstration", text, files
    own = any(it.decision.person == record.release.requested_by for it in counted)
    who = "Somebody" if own else "Nobody"
    return "separation", f"{who} who asked for the run decided on it. Roles and keys of those who did are here.", files


def _waiver_claim(it: LedgerDecision, record: ReleaseFacts, shelf: Artifacts) -> ClaimContent:
    until = format_time(it.decision.expires) if it.decision.expires else "no end"
    who = f"{record.display_id(it.decision.person)} as {it.decision.role}"
    text = f"{who} waived {', '.join(it.decision.checks)} until {until}: {it.decision.reason}"
    return "demonstration" if record.is_demo(it.decision.person) else "waiver", text, [shelf.entry(it.entry)]
