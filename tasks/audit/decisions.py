"""Chapter about the decisions and the policy under which they were made.

Decisions of demo identities are marked as such.
"""

from tasks.audit.artifacts import ArtifactCollection
from tasks.audit.chapters import ClaimContent, make_chapter
from tasks.audit.dossier import Chapter, Table
from tasks.audit.release_facts import ReleaseFacts
from tasks.core.formatting import format_time
from tasks.registry.promote.release_decisions import LedgerDecision
from tasks.trust.gate_statement import GateName

POLICY_PATH, PEOPLE_PATH = "attestations/policy.json", "attestations/people.json"


def decisions_chapter(facts: ReleaseFacts, collection: ArtifactCollection) -> Chapter:
    every = [(gate, it) for gate in facts.contents.promotion.gates for it in facts.decisions.get(gate, [])]
    table = Table(
        caption="Every decision in the ledger on what this run put to its gates",
        columns=["Gate", "Who", "Role", "Decided", "Reason", "When (UTC)", "Entry", "Counted"],
        rows=[[gate, facts.display_id(it.decision.person), it.decision.role or "–", it.decision.verb,
               it.decision.reason or "–", f"{it.signed.effective_at:%Y-%m-%d %H:%M:%S}", str(it.entry.seq),
               "yes" if it.counted else "no"] for gate, it in every],
    )  # fmt: skip
    counted = [it for _, it in every if it.counted]
    said = [*_policy_claims(facts, collection)]
    for gate in facts.contents.promotion.gates:
        said += _approval_claims(gate, facts, collection)
    said.append(_separation_claim(facts, collection, counted))
    said += [_waiver_claim(it, facts, collection) for it in counted if it.decision.verb == "waive"]
    return make_chapter(6, "decided", "Who decided, under which policy", [table], said)


def _policy_claims(facts: ReleaseFacts, collection: ArtifactCollection) -> list[ClaimContent]:
    digest, adopted = facts.policy_sha256, facts.adoption_history.at_promotion
    if adopted is None:
        text = f"Policy {digest[:12]}… was proposed with the run, and nobody had adopted it."
        return [("policy", text, [collection.file_artifact(POLICY_PATH)])]
    text = f"Its gates were judged under policy {digest[:12]}…, {adopted.describe()}: it was in force at the promotion."
    said: list[ClaimContent] = [
        ("policy", text, [collection.file_artifact(POLICY_PATH), collection.add_entry(adopted.entry)])
    ]
    if facts.adoption_history.later_adoptions:
        later = "; ".join(each.describe() for each in facts.adoption_history.later_adoptions)
        text = f"Adopted after the promotion, so nothing here was judged under it: {later}."
        said.append(
            ("history", text, [collection.add_entry(each.entry) for each in facts.adoption_history.later_adoptions])
        )
    return said


def _approval_claims(gate: GateName, facts: ReleaseFacts, collection: ArtifactCollection) -> list[ClaimContent]:
    """Return claims about the approval of a gate by people, by demo identities, or by its checks alone.

    Only a claim about an approval by people counts as evidence of human oversight.
    """
    who, statement = (
        facts.release.approved_by.get(gate, []),
        collection.file_artifact(f"attestations/gates/{gate}.json"),
    )
    if not who:
        return [("checks", f"The {gate} gate was passed by its checks alone, as its policy allows.", [statement])]
    entries = [it for it in facts.decisions.get(gate, []) if it.counted]
    people = [each for each in who if not facts.is_demo(each.partition(" as ")[0])]
    demo = [each for each in who if each not in people]
    said: list[ClaimContent] = []
    if people:
        artifacts = [collection.add_entry(it.entry) for it in entries if not facts.is_demo(it.decision.person)]
        said.append(("decision", f"The {gate} gate was approved by {', '.join(people)}.", [*artifacts, statement]))
    if demo:
        artifacts = [collection.add_entry(it.entry) for it in entries if facts.is_demo(it.decision.person)]
        text = f"The {gate} gate was passed by demo identities ({', '.join(demo)}): no person looked at it for them."
        said.append(("demonstration", text, [*artifacts, statement]))
    return said


def _separation_claim(
    facts: ReleaseFacts, collection: ArtifactCollection, counted: list[LedgerDecision]
) -> ClaimContent:
    files = [collection.file_artifact(PEOPLE_PATH), collection.file_artifact(POLICY_PATH)]
    if facts.release.demo:
        text = "Demo identities decided, so nothing here shows that who asks and who decides are kept apart."
        return "demonstration", text, files
    own = any(it.decision.person == facts.release.requested_by for it in counted)
    who = "Somebody" if own else "Nobody"
    return "separation", f"{who} who asked for the run decided on it. Roles and keys of those who did are here.", files


def _waiver_claim(waiver: LedgerDecision, facts: ReleaseFacts, collection: ArtifactCollection) -> ClaimContent:
    until = format_time(waiver.decision.expires) if waiver.decision.expires else "no end"
    who = f"{facts.display_id(waiver.decision.person)} as {waiver.decision.role}"
    text = f"{who} waived {', '.join(waiver.decision.checks)} until {until}: {waiver.decision.reason}"
    return (
        "demonstration" if facts.is_demo(waiver.decision.person) else "waiver",
        text,
        [collection.add_entry(waiver.entry)],
    )
