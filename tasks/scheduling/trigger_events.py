"""Occasions of triggers: events that have happened, each with a key, so that it leads to one run only."""

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
from tasks.declarations.signed_declaration import of_card
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


def find_occasions(name: str, trigger: TriggerSettings, since: datetime, place: TriggerContext) -> Iterator[Occasion]:
    """Yield every occasion of a trigger after `since`, oldest first, including occasions for which a run was requested.

    Raises:
        HallmarkError: The sources, the params file or the ledger cannot be read.
    """
    look = OCCASION_FINDERS.get(type(trigger))
    yield from look(name, trigger, since, place) if look else ()


def make_occasion(name: str, trigger: TriggerSettings, what: str, words: str, **facts: Any) -> Occasion:
    """Create an occasion of a trigger.

    `what` must be different for each event, because it becomes part of the occasion's key.
    """
    reason = shorten_reason(f"trigger {name}: {words}")
    return Occasion(
        f"{name}/{what}", name, reason, trigger.params, trigger.changes, trigger.cool_down, None, facts, trigger.pool
    )


def shorten_reason(reason: str) -> str:
    return reason if len(reason) <= MAX_REASON_CHARS else f"{reason[: MAX_REASON_CHARS - 2]} …"


def _source(name: str, trigger: SourceChanged, since: datetime, place: TriggerContext) -> Iterator[Occasion]:
    named = sources.load(place.governance.folder)
    if change := source_changes.find_change(name, trigger, since, named, place.ledger, place.book, _head(place)):
        yield make_occasion(name, trigger, change.id, f"sources changed: {change.words}", contents=change.contents)


def _governance(name: str, trigger: GovernanceChanged, since: datetime, place: TriggerContext) -> Iterator[Occasion]:
    """Yield the verified adoptions that led to the governance in force. An invalid adoption starts no run."""
    for entry in place.ledger.entries(adoption_entries.ADOPTED):
        if entry.time > since and entry.body.get("envelope") in place.governance.chain:
            yield make_occasion(name, trigger, entry.subject[:16], "policy or people were adopted")


def _card(name: str, trigger: CardChanged, since: datetime, place: TriggerContext) -> Iterator[Occasion]:
    """Yield the adoption of a use-case card once HEAD has this card: a run with another card would be refused."""
    declared = of_card(_params(trigger, place))
    in_force = declared_standing.read(place.ledger, place.governance).in_force
    known = in_force.get(declared.subject)
    if (
        known
        and known.signatures[-1].effective_at > since
        and not declarations.why_not(declared, in_force, place.governance.policy)
    ):
        yield make_occasion(
            name, trigger, known.declared.sha256[:16], f"the use-case {declared.subject} was adopted anew"
        )


def _prompts(name: str, trigger: PromptsChanged, _: datetime, place: TriggerContext) -> Iterator[Occasion]:
    """Yield a change of the prompts, even if it is older than the trigger, because no run has used them yet."""
    if change := prompt_changes.find_change(trigger, place.ledger, place.root):
        yield make_occasion(name, trigger, change.id, change.words)


def _waiver(name: str, trigger: WaiverExpiring, _: datetime, place: TriggerContext) -> Iterator[Occasion]:
    """Yield one occasion for each expiring waiver, even if it waives more than one check."""
    newest = promotions.read(place.ledger, place.governance, _use_case(trigger, place)).newest
    if newest is None:
        return
    label, soon = newest.promotion.label, place.ledger.now() + timedelta(days=trigger.days_before)
    ending: dict[tuple[int | None, datetime], list[str]] = {}
    for each in waivers.failed_checks(place.ledger, place.governance, newest):
        if each.expires and each.expires <= soon:
            ending.setdefault((each.entry, each.expires), []).append(f"{each.check!r} at the {each.gate} gate")
    for (entry, expires), checks in ending.items():
        words = f"a waiver of champion {label} ends on {format_time(expires)}: {', '.join(checks)}"
        yield make_occasion(name, trigger, f"{label}/{entry}", words)


def _incident(name: str, trigger: IncidentOpened, since: datetime, place: TriggerContext) -> Iterator[Occasion]:
    for each in incidents.read_all(place.ledger, place.governance):
        if each.entry.time > since and (not trigger.what or each.opening.what in trigger.what):
            yield make_occasion(name, trigger, each.id, f"incident {each.id} was opened")


def _use_case(trigger: TriggerSettings, place: TriggerContext) -> str:
    return _params(trigger, place).use_case.name


def _params(trigger: TriggerSettings, place: TriggerContext) -> Params:
    head = _head(place)
    head.read_existing_text(trigger.params)
    return head.params(trigger.params, trigger.changes)


def _head(place: TriggerContext) -> CommitFiles:
    return CommitFiles.head(Repository.open(place.root))


OCCASION_FINDERS: dict[type[TriggerSettings], Callable[[str, Any, datetime, TriggerContext], Iterator[Occasion]]] = {
    SourceChanged: _source,
    GovernanceChanged: _governance,
    CardChanged: _card,
    PromptsChanged: _prompts,
    WaiverExpiring: _waiver,
    IncidentOpened: _incident,
}
"""Functions that find occasions, by kind of trigger. Kind `event` has none, because its events are reported."""
