"""Chapter about events after the promotion."""

from tasks.audit.artifacts import ArtifactCollection
from tasks.audit.chapters import ClaimContent, make_chapter
from tasks.audit.dossier import Chapter, Table
from tasks.audit.release_facts import ReleaseFacts
from tasks.core.formatting import format_exact_time, format_time
from tasks.registry.history.history import rollback_orderers
from tasks.registry.release.production_periods import ProductionPeriod


def later_events_chapter(facts: ReleaseFacts, collection: ArtifactCollection) -> Chapter:
    table = Table(
        caption=f"Every statement of {facts.release.name} from its promotion on",
        columns=["Statement", "Release", "What", "By", "Reason", "From (UTC)", "Until (UTC)", "Entry"],
        rows=[
            _promotion_row(reign)
            for reign in facts.production_periods[facts.production_periods.index(facts.own_periods[0]) :]
        ],
    )
    said = [
        *_promotion_claims(facts, collection),
        *_incident_claims(facts, collection),
        *_reproduction_claims(facts, collection),
    ]
    said += [("recall", f"Since then: {each}.", [collection.add_entry(each.entry)]) for each in facts.withdrawals]
    return make_chapter(8, "since", "What happened since", [table], said)


def describe_present_state(facts: ReleaseFacts) -> str:
    if facts.release.aliases:
        return f"{' and '.join(facts.release.aliases)} as of {format_time(facts.now)}"
    ended = facts.own_periods[-1].until
    return f"out of production since {format_time(ended)}" if ended else "in production"


def _promotion_row(period: ProductionPeriod) -> list[str]:
    promotion = period.signed.promotion
    entry = str(period.signed.entry.seq) if period.signed.entry else "–"
    until = f"{period.until:%Y-%m-%d %H:%M:%S}" if period.until else "still"
    who = " and ".join(rollback_orderers(period.signed)) or promotion.requested_by
    said = [str(promotion.sequence), promotion.label, promotion.action, who, promotion.reason or "–"]
    return [*said, f"{period.since:%Y-%m-%d %H:%M:%S}", until, entry]


def _promotion_claims(facts: ReleaseFacts, collection: ArtifactCollection) -> list[ClaimContent]:
    said: list[ClaimContent] = []
    for before, reign in zip(facts.production_periods, facts.production_periods[1:], strict=False):
        promotion, entry = reign.signed.promotion, reign.signed.entry
        artifacts = [collection.add_entry(entry)] if entry else []
        if before in facts.own_periods:
            why = f": {promotion.reason}" if promotion.reason else ""
            text = f"{promotion.label} took its place on {format_exact_time(reign.since)} ({promotion.action}{why})."
            said.append(("recall" if promotion.action == "rollback" else "history", text, artifacts))
        elif reign in facts.own_periods and promotion.action == "rollback":
            who = " and ".join(rollback_orderers(reign.signed))
            text = f"{who} brought it back on {format_exact_time(reign.since)}: {promotion.reason}."
            said.append(("recall", text, artifacts))
    if not said:
        said.append(
            (
                "history",
                "No other statement has taken its place: it has been in production from then on.",
                [collection.add_entry(it.signed.entry) for it in facts.own_periods if it.signed.entry],
            )
        )
    return said


def _incident_claims(facts: ReleaseFacts, collection: ArtifactCollection) -> list[ClaimContent]:
    said: list[ClaimContent] = []
    for incident in facts.incidents:
        opening, closing = incident.opening, incident.closing
        end = f"closed by {closing.person}: {closing.reason}" if closing else incident.state
        opened = f"{incident.severity}, opened on {format_time(opening.time)}"
        text = f"Incident {incident.id}, {opened}: {opening.text} ({end})"
        said.append(("incident", text, [collection.add_entry(incident.entry)]))
    return said


def _reproduction_claims(facts: ReleaseFacts, collection: ArtifactCollection) -> list[ClaimContent]:
    return [
        ("reproduction", f"It was built again on {format_time(entry.time)}, and came out "
         f"{entry.body.get('verdict', 'unknown')}, as an entry says that nobody signed.", [collection.add_entry(entry)])
        for entry in facts.reproductions
    ]  # fmt: skip
