"""Chapter about events after the promotion."""

from tasks.audit.artifacts import Artifacts
from tasks.audit.chapters import ClaimContent, chapter
from tasks.audit.dossier import Chapter, Table
from tasks.audit.release_facts import ReleaseFacts
from tasks.core.formatting import format_exact_time, format_time
from tasks.registry.history.history import orderers
from tasks.registry.release.production_periods import ProductionPeriod


def later_events_chapter(record: ReleaseFacts, shelf: Artifacts) -> Chapter:
    table = Table(
        caption=f"Every statement of {record.release.name} from its promotion on",
        columns=["Statement", "Release", "What", "By", "Reason", "From (UTC)", "Until (UTC)", "Entry"],
        rows=[
            _row(reign) for reign in record.production_periods[record.production_periods.index(record.own_periods[0]) :]
        ],
    )
    said = [*_promotion_claims(record, shelf), *_incidents(record, shelf), *_reproduction_claims(record, shelf)]
    said += [("recall", f"Since then: {each}.", [shelf.entry(each.entry)]) for each in record.withdrawals]
    return chapter(8, "since", "What happened since", [table], said)


def present_state(record: ReleaseFacts) -> str:
    if record.release.aliases:
        return f"{' and '.join(record.release.aliases)} as of {format_time(record.now)}"
    ended = record.own_periods[-1].until
    return f"out of production since {format_time(ended)}" if ended else "in production"


def _row(reign: ProductionPeriod) -> list[str]:
    promotion = reign.signed.promotion
    entry = str(reign.signed.entry.seq) if reign.signed.entry else "–"
    until = f"{reign.until:%Y-%m-%d %H:%M:%S}" if reign.until else "still"
    who = " and ".join(orderers(reign.signed)) or promotion.requested_by
    said = [str(promotion.sequence), promotion.label, promotion.action, who, promotion.reason or "–"]
    return [*said, f"{reign.since:%Y-%m-%d %H:%M:%S}", until, entry]


def _promotion_claims(record: ReleaseFacts, shelf: Artifacts) -> list[ClaimContent]:
    said: list[ClaimContent] = []
    for before, reign in zip(record.production_periods, record.production_periods[1:], strict=False):
        promotion, entry = reign.signed.promotion, reign.signed.entry
        artifacts = [shelf.entry(entry)] if entry else []
        if before in record.own_periods:
            why = f": {promotion.reason}" if promotion.reason else ""
            text = f"{promotion.label} took its place on {format_exact_time(reign.since)} ({promotion.action}{why})."
            said.append(("recall" if promotion.action == "rollback" else "history", text, artifacts))
        elif reign in record.own_periods and promotion.action == "rollback":
            who = " and ".join(orderers(reign.signed))
            text = f"{who} brought it back on {format_exact_time(reign.since)}: {promotion.reason}."
            said.append(("recall", text, artifacts))
    if not said:
        said.append(("history", "No other statement has taken its place: it has been in production from then on.",
                     [shelf.entry(it.signed.entry) for it in record.own_periods if it.signed.entry]))  # fmt: skip
    return said


def _incidents(record: ReleaseFacts, shelf: Artifacts) -> list[ClaimContent]:
    said: list[ClaimContent] = []
    for incident in record.incidents:
        opening, closing = incident.opening, incident.closing
        end = f"closed by {closing.person}: {closing.reason}" if closing else incident.state
        opened = f"{incident.severity}, opened on {format_time(opening.time)}"
        text = f"Incident {incident.id}, {opened}: {opening.text} ({end})"
        said.append(("incident", text, [shelf.entry(incident.entry)]))
    return said


def _reproduction_claims(record: ReleaseFacts, shelf: Artifacts) -> list[ClaimContent]:
    return [
        ("reproduction", f"It was built again on {format_time(entry.time)}, and came out "
         f"{entry.body.get('verdict', 'unknown')}, as an entry says that nobody signed.", [shelf.entry(entry)])
        for entry in record.reproductions
    ]  # fmt: skip
