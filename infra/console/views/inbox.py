"""Inbox of open gates: the highest risk tier first, and the oldest gate first within a tier."""

from datetime import datetime

from infra.console.site import Here
from tasks.core.config import Frozen
from tasks.core.errors import HallmarkError
from tasks.gates import missing
from tasks.gates.evidence import Summary
from tasks.gates.gates import Standing
from tasks.gates.overview import Glance, overview
from tasks.gates.rules.person import barred
from tasks.policy.governance import Governance
from tasks.policy.people import Person
from tasks.runs.run import is_here, layout_of


class Item(Frozen):
    """Open gate."""

    run: str
    gate: str
    use_case: str
    tier: str
    demo: bool
    requested_by: str
    asked: datetime
    deadline: datetime | None
    """Deadline of the gate; null if the gate cannot be judged here."""
    failed: int
    """Number of failed checks that no waiver covers."""
    waits_for: list[str]
    """Missing decisions and other obstacles, in words."""
    mine: list[str]
    """Decisions that this person may make, in words; empty if others have to act."""
    trouble: str = ""
    """Problem with judging the gate on this machine, in words; empty if there is none."""


class Inbox(Frozen):
    rows: list[Item]
    """Gates that wait for this person."""
    others: list[Item]
    """Gates that wait for others."""


def inbox(here: Here, person: Person) -> Inbox:
    glances = [each for each in overview(here.ledger, lambda summary: _governed(here, summary)) if each.summary]
    items = [_item(here, glance, glance.summary, person) for glance in glances if glance.summary]
    ranks = {name: tier.level or 0 for name, tier in here.governance.policy.tiers.items()}
    items.sort(key=lambda item: (-ranks.get(item.tier, 0), item.asked))
    return Inbox(rows=[item for item in items if item.mine], others=[item for item in items if not item.mine])


def _governed(here: Here, summary: Summary) -> Governance:
    return here.rules.of(summary.run) or here.governance


def _item(here: Here, glance: Glance, summary: Summary, person: Person) -> Item:
    stands = glance.stands
    judged = stands if isinstance(stands, Standing) else None
    return Item(
        run=summary.run,
        gate=summary.gate,
        use_case=summary.use_case,
        tier=summary.tier,
        demo=summary.demo,
        requested_by=summary.requested_by,
        asked=glance.entry.time,
        deadline=judged.deadline if judged else None,
        failed=sum(not check.holds for check in judged.checks) if judged else 0,
        waits_for=judged.waiting_for if judged else [],
        mine=may_do(here, summary, judged, person) if judged and judged.state == "waiting" else [],
        trouble=str(stands) if isinstance(stands, HallmarkError) else _elsewhere(here, summary.run),
    )


def _elsewhere(here: Here, run: str) -> str:
    return "" if is_here(layout_of(here.site.root, run)) else "its run is on another machine"


def may_do(here: Here, summary: Summary, standing: Standing, person: Person) -> list[str]:
    """Return the decisions that a person may make at a gate, in words.

    This decides nothing: the rules of the gate judge a decision when it is made.
    """
    said = {(it.verb, it.role) for it in standing.decisions if it.counted and it.person == person.id}
    if any(verb == "reject" for verb, _ in said):
        return []
    found = []
    for role, _, _ in missing.still_needed(summary, []):
        able = missing.eligible(summary, _governed(here, summary), role, [], here.now)
        if person.id in {each.id for each in able} and ("approve", role) not in said:
            found.append(f"decide in role {role}")
    waive, failed = summary.asks.waive, [check for check in standing.checks if not check.holds]
    own = person.id in summary.askers or (person.demo and not summary.demo)
    if waive and failed and not own and person.id not in barred(summary, waive.role):
        found += [f"waive a failed check in role {waive.role}"] * (waive.role in person.roles_at(here.now))
    return found
