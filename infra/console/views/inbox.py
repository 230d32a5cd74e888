"""Inbox of open gates, sorted by risk tier and age: the highest tier and the oldest gate come first."""

from datetime import datetime

from infra.console.site import RequestState
from infra.console.team_access import TeamAccess
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import HallmarkError
from tasks.gates import missing_decisions
from tasks.gates.evidence import EvidenceSummary
from tasks.gates.gates import GateStatus
from tasks.gates.overview import OpenGate, open_gates
from tasks.gates.rules.person import excluded_people
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.runs.run import is_on_this_machine, run_layout


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
    """Problem that prevents judging the gate on this machine, in words; empty if there is none."""


class Inbox(FrozenModel):
    rows: list[InboxItem]
    """Gates that wait for this person."""
    others: list[InboxItem]
    """Gates that wait for other people."""


def inbox(here: RequestState, person: Person) -> Inbox:
    glances = [each for each in open_gates(here.ledger, lambda summary: _governance_of(here, summary)) if each.summary]
    use_cases = TeamAccess(here, person).use_cases
    every = (_item(here, glance, glance.summary, person) for glance in glances if glance.summary)
    items = [item for item in every if item.mine or use_cases.contains(item.use_case)]
    ranks = {name: tier.level or 0 for name, tier in here.governance.policy.tiers.items()}
    items.sort(key=lambda item: (-ranks.get(item.tier, 0), item.asked))
    return Inbox(rows=[item for item in items if item.mine], others=[item for item in items if not item.mine])


def _governance_of(here: RequestState, summary: EvidenceSummary) -> Governance:
    return here.governance_cache.governance_of_local_run(summary.run) or here.governance


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
    return "" if is_on_this_machine(run_layout(here.root, run)) else "its run is on another machine"


def possible_decisions(here: RequestState, summary: EvidenceSummary, standing: GateStatus, person: Person) -> list[str]:
    said = {(it.verb, it.role) for it in standing.decisions if it.counted and it.person == person.id}
    if any(verb == "reject" for verb, _ in said):
        return []
    found = []
    for role, _, _ in missing_decisions.required_approvals_from(summary, []):
        able = missing_decisions.eligible_approvers(summary, _governance_of(here, summary), role, [], here.ledger_time)
        if person.id in {each.id for each in able} and ("approve", role) not in said:
            found.append(f"decide in role {role}")
    waive, failed = summary.asks.waive, [check for check in standing.checks if not check.holds]
    own = person.id in summary.requesters or (person.demo and not summary.demo)
    if waive and failed and not own and person.id not in excluded_people(summary, waive.role):
        found += [f"waive a failed check in role {waive.role}"] * (waive.role in person.roles_at(here.ledger_time))
    return found
