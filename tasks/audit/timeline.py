"""History of a release in a few dated lines."""

from datetime import datetime

from tasks.audit.dossier import TimelineEvent
from tasks.audit.release_facts import ReleaseFacts
from tasks.registry.history.history import rollback_orderers

DECISION_VERBS = {
    "approve": "approved",
    "reject": "rejected",
    "waive": "waived a check",
    "withdraw": "withdrew a decision",
}


def make_timeline(facts: ReleaseFacts) -> list[TimelineEvent]:
    """Return the run request, gate events, changes in production and incidents, oldest first."""
    moments: list[tuple[datetime, str]] = []
    if facts.request_entry:
        moments.append((facts.request_entry.time, f"{facts.release.requested_by} asks for run {facts.release.run}"))
    for gate in facts.contents.promotion.gates:
        if case := facts.gate_cases.get(gate):
            moments.append((case.opening_entry.time, f"{gate} gate asked"))
        for it in facts.decisions.get(gate, []):
            said = DECISION_VERBS.get(it.decision.verb, it.decision.verb)
            who = facts.display_id(it.decision.person)
            moments.append((it.signed.effective_at, f"{who} {said} at the {gate} gate"))
    for before, reign in zip([None, *facts.production_periods], facts.production_periods, strict=False):
        promotion = reign.signed.promotion
        if reign in facts.own_periods:
            who = " and ".join(rollback_orderers(reign.signed))
            back = f", brought back by {who}" if who else ""
            moments.append((reign.since, f"{promotion.label} in production{back}"))
        elif before in facts.own_periods:
            moments.append((reign.since, f"{promotion.label} takes its place ({promotion.action})"))
    moments += [(incident.opening.time, f"incident {incident.id} opened") for incident in facts.incidents]
    moments += [(entry.time, "built again") for entry in facts.reproductions]
    return [TimelineEvent(time=f"{time:%Y-%m-%d %H:%M:%S}", text=text) for time, text in sorted(moments)]
