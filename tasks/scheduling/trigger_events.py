"""Occasions of triggers: events that have happened. Each event has a key, so that it leads to at most one run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tasks.core.documents.config import MAX_REASON_CHARS
from tasks.core.formatting import format_time
from tasks.core.params.params import Params
from tasks.declarations import declarations
from tasks.declarations import status as declared_standing
from tasks.declarations.signed_declaration import declare_card
from tasks.incidents import incidents
from tasks.ledger.ledger import Ledger
from tasks.policy import adoption_entries
from tasks.policy.governance import Governance
from tasks.registry.promote import waivers
from tasks.registry.release import promotions
from tasks.runs.git.repository import Repository
from tasks.runs.requests.commit_files import CommitFiles
from tasks.scheduling import prompt_changes, source_changes
from tasks.scheduling.deployments_file import (
    CardChanged,
    GovernanceChanged,
    IncidentOpened,
    PromptsChanged,
    SourceChanged,
    TriggerSettings,
    WaiverExpiring,
)
from tasks.scheduling.occasion_entries import Occasion
from tasks.scheduling.occasion_log import OccasionLog
from tasks.sources import sources


@dataclass(frozen=True)
class TriggerContext:
    root: Path
    ledger: Ledger
    governance: Governance
    book: OccasionLog


def find_occasions(name: str, trigger: TriggerSettings, since: datetime, context: TriggerContext) -> Iterator[Occasion]:
    """Yield every occasion of a trigger after `since`, oldest first, including occasions for which a run was requested.

    Raises:
        HallmarkError: The sources, the params file or the ledger cannot be read.
    """
    look = OCCASION_FINDERS.get(type(trigger))
    yield from look(name, trigger, since, context) if look else ()


def make_occasion(name: str, trigger: TriggerSettings, event_id: str, description: str, **facts: Any) -> Occasion:
    """Create an occasion of a trigger.

    `event_id` becomes part of the occasion's key, so it must be different for each event.
    """
    reason = shorten_reason(f"trigger {name}: {description}")
    return Occasion(
        f"{name}/{event_id}",
        name,
        reason,
        trigger.params,
        trigger.changes,
        trigger.cool_down,
        None,
        facts,
        trigger.pool,
        open_run=trigger.open_run,
    )


def shorten_reason(reason: str) -> str:
    return reason if len(reason) <= MAX_REASON_CHARS else f"{reason[: MAX_REASON_CHARS - 2]} …"


def _source_occasions(
    name: str, trigger: SourceChanged, since: datetime, context: TriggerContext
) -> Iterator[Occasion]:
    named = sources.load_sources(context.governance.folder)
    if change := source_changes.find_source_change(
        name, trigger, since, named, context.ledger, context.book, _head_files(context)
    ):
        yield make_occasion(name, trigger, change.id, f"sources changed: {change.words}", contents=change.contents)


def _governance_occasions(
    name: str, trigger: GovernanceChanged, since: datetime, context: TriggerContext
) -> Iterator[Occasion]:
    """Yield the verified adoptions that led to the governance in force. An invalid adoption starts no run."""
    for entry in context.ledger.readable_entries(adoption_entries.ADOPTED):
        if entry.time > since and entry.body.get("envelope") in context.governance.chain:
            yield make_occasion(name, trigger, entry.subject[:16], "policy or people were adopted")


def _card_occasions(name: str, trigger: CardChanged, since: datetime, context: TriggerContext) -> Iterator[Occasion]:
    """Yield the adoption of a use-case card once HEAD contains it, because a run with another card would be refused."""
    declared = declare_card(_params_at_head(trigger, context))
    in_force = declared_standing.read_status(context.ledger, context.governance).declarations_by_subject
    known = in_force.get(declared.subject)
    if (
        known
        and known.signatures[-1].effective_at > since
        and not declarations.refusal_reason(declared, in_force, context.governance.policy)
    ):
        yield make_occasion(
            name, trigger, known.declared.sha256[:16], f"the use-case {declared.subject} was adopted anew"
        )


def _prompt_occasions(name: str, trigger: PromptsChanged, _: datetime, context: TriggerContext) -> Iterator[Occasion]:
    """Yield a change of the prompts, even if it is older than the trigger, because no run has used them yet."""
    if change := prompt_changes.find_prompt_change(trigger, context.ledger, context.root):
        yield make_occasion(name, trigger, change.id, change.words)


def _waiver_occasions(name: str, trigger: WaiverExpiring, _: datetime, context: TriggerContext) -> Iterator[Occasion]:
    """Yield one occasion for each expiring waiver, even if it waives more than one check."""
    newest = promotions.read_promotions(
        context.ledger, context.governance, _use_case(trigger, context)
    ).newest_statement
    if newest is None:
        return
    label, soon = newest.promotion.label, context.ledger.now() + timedelta(days=trigger.days_before)
    ending: dict[tuple[int | None, datetime], list[str]] = {}
    for each in waivers.failed_checks(context.ledger, context.governance, newest):
        if each.expires and each.expires <= soon:
            ending.setdefault((each.entry, each.expires), []).append(f"{each.check!r} at the {each.gate} gate")
    for (entry, expires), checks in ending.items():
        words = f"a waiver of champion {label} ends on {format_time(expires)}: {', '.join(checks)}"
        yield make_occasion(name, trigger, f"{label}/{entry}", words)


def _incident_occasions(
    name: str, trigger: IncidentOpened, since: datetime, context: TriggerContext
) -> Iterator[Occasion]:
    for each in incidents.read_all(context.ledger, context.governance):
        if each.entry.time > since and (not trigger.what or each.opening.what in trigger.what):
            yield make_occasion(name, trigger, each.id, f"incident {each.id} was opened")


def _use_case(trigger: TriggerSettings, place: TriggerContext) -> str:
    return _params_at_head(trigger, place).use_case.name


def _params_at_head(trigger: TriggerSettings, place: TriggerContext) -> Params:
    head = _head_files(place)
    head.require_text(trigger.params)
    return head.read_params(trigger.params, trigger.changes)


def _head_files(place: TriggerContext) -> CommitFiles:
    return CommitFiles.at_head(Repository.open(place.root))


OCCASION_FINDERS: dict[type[TriggerSettings], Callable[[str, Any, datetime, TriggerContext], Iterator[Occasion]]] = {
    SourceChanged: _source_occasions,
    GovernanceChanged: _governance_occasions,
    CardChanged: _card_occasions,
    PromptsChanged: _prompt_occasions,
    WaiverExpiring: _waiver_occasions,
    IncidentOpened: _incident_occasions,
}
"""Functions that find occasions, by kind of trigger. Kind `event` has none, because its events are reported."""
