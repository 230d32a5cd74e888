"""Inbox of open gates: the highest risk tier first, and the oldest gate first within a tier."""

from datetime import datetime

from infra.console.site import RequestState
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import HallmarkError
from tasks.gates import missing_decisions
from tasks.gates.evidence import EvidenceSummary
from tasks.gates.gates import GateStatus
from tasks.gates.overview import OpenGate, open_gates
from tasks.gates.rules.person import excluded_people
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.runs.run import exists_here, layout_of


class InboxItem(FrozenModel):
    run: str
    gate: str
    use_case: str
    tier: str
    demo: bool
    requested_by: str
    asked: datetime
    deadline: datetime | None
    failed: int
    """Number of failed checks that no waiver covers."""
    waits_for: list[str]
    mine: list[str]
    """Decisions that this person may make, in words; empty if others must act."""
    trouble: str = ""
    """Problem with judging the gate on this machine, in words; empty if there is none."""


class Inbox(FrozenModel):
    rows: list[InboxItem]
    """Gates that wait for this person."""
    others: list[InboxItem]
    """Gates that wait for others."""


def inbox(here: RequestState, person: Person) -> Inbox:
    glances = [each for each in open_gates(here.ledger, lambda summary: _governed(here, summary)) if each.summary]
    items = [_item(here, glance, glance.summary, person) for glance in glances if glance.summary]
    ranks = {name: tier.level or 0 for name, tier in here.governance.policy.tiers.items()}
    items.sort(key=lambda item: (-ranks.get(item.tier, 0), item.asked))
    return Inbox(rows=[item for item in items if item.mine], others=[item for item in items if not item.mine])


def _governed(here: RequestState, summary: EvidenceSummary) -> Governance:
    return here.rules.of_local_run(summary.run) or here.governance


def _item(here: RequestState, glance: OpenGate, summary: EvidenceSummary, person: Person) -> InboxItem:
    stands = glance.status
    judged = stands if isinstance(stands, GateStatus) else None
    return InboxItem(
        **summary.model_dump(include=set(InboxItem.model_fields)),
        asked=glance.entry.time,
        deadline=judged.deadline if judged else None,
        failed=sum(not check.holds for check in judged.checks) if judged else 0,
        waits_for=judged.waiting_for if judged else [],
        mine=possible_decisions(here, summary, judged, person) if judged and judged.state == "waiting" else [],
        trouble=str(stands) if isinstance(stands, HallmarkError) else _missing_run_notice(here, summary.run),
    )


def _missing_run_notice(here: RequestState, run: str) -> str:
    return "" if exists_here(layout_of(here.root, run)) else "its run is on another machine"


def possible_decisions(here: RequestState, summary: EvidenceSummary, standing: GateStatus, person: Person) -> list[str]:
    said = {(it.verb, it.role) for it in standing.decisions if it.counted and it.person == person.id}
    if any(verb == "reject" for verb, _ in said):
        return []
    found = []
    for role, _, _ in missing_decisions.required_approvals_from(summary, []):
        able = missing_decisions.eligible_approvers(summary, _governed(here, summary), role, [], here.now)
        if person.id in {each.id for each in able} and ("approve", role) not in said:
            found.append(f"decide in role {role}")
    waive, failed = summary.asks.waive, [check for check in standing.checks if not check.holds]
    own = person.id in summary.requesters or (person.demo and not summary.demo)
    if waive and failed and not own and person.id not in excluded_people(summary, waive.role):
        found += [f"waive a failed check in role {waive.role}"] * (waive.role in person.roles_at(here.now))
    return found
