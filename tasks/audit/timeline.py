"""History of a release in a few dated lines."""

from datetime import datetime

from tasks.audit.dossier import Moment
from tasks.audit.release_facts import ReleaseFacts
from tasks.registry.history.history import orderers

VERBS = {"approve": "approved", "reject": "rejected", "waive": "waived a check", "withdraw": "withdrew a decision"}


def timeline(record: ReleaseFacts) -> list[Moment]:
    """Return the run request, gate events, changes in production and incidents, oldest first."""
    moments: list[tuple[datetime, str]] = []
    if record.request_entry:
        moments.append((record.request_entry.time, f"{record.release.requested_by} asks for run {record.release.run}"))
    for gate in record.contents.promotion.gates:
        if case := record.cases.get(gate):
            moments.append((case.opening.time, f"{gate} gate asked"))
        for it in record.decisions.get(gate, []):
            said = VERBS.get(it.decision.verb, it.decision.verb)
            who = record.display_id(it.decision.person)
            moments.append((it.signed.effective_at, f"{who} {said} at the {gate} gate"))
    for before, reign in zip([None, *record.production_periods], record.production_periods, strict=False):
        promotion = reign.signed.promotion
        if reign in record.own_periods:
            who = " and ".join(orderers(reign.signed))
            back = f", brought back by {who}" if who else ""
            moments.append((reign.since, f"{promotion.label} in production{back}"))
        elif before in record.own_periods:
            moments.append((reign.since, f"{promotion.label} takes its place ({promotion.action})"))
    moments += [(incident.opening.time, f"incident {incident.id} opened") for incident in record.incidents]
    moments += [(entry.time, "built again") for entry in record.reproductions]
    return [Moment(time=f"{time:%Y-%m-%d %H:%M:%S}", text=text) for time, text in sorted(moments)]
