"""List of releases, and the releases in production at a given time."""

from datetime import UTC, datetime

from infra.console.site import RequestState
from infra.console.team_access import TeamAccess
from infra.console.views.runs import RowLimit
from tasks.core.documents.config import FrozenModel
from tasks.policy.people import Person
from tasks.registry.history import history
from tasks.registry.history.history import ProductionState
from tasks.registry.promote import releases as promoted
from tasks.registry.promote.releases import ReleaseSummary
from tasks.registry.release import production_periods, promotions
from tasks.registry.release.promotions import Promotions

PAGE_SIZE = 15
"""Number of releases on one page. It is small because finding the waivers of one release in the ledger takes 10 ms."""
MAX_PERIODS = 30
MAX_PROBLEMS = 20


class ChampionPeriod(FrozenModel):
    model: str
    release: str
    since: datetime
    until: datetime | None
    """End of the period; null if the release is still champion."""
    by: str
    """Action that made the release champion: `promote` or `rollback`."""
    entry: int
    """Number of the ledger entry that records the action."""
    reason: str
    """Reason of the rollback; empty for a promotion."""


class Releases(FrozenModel):
    rows: list[ReleaseSummary]
    champions: list[ChampionPeriod]
    """Latest champion periods of each model, oldest first."""
    read: datetime
    """Time at which the ledger was read. A period without an end has lasted at least until this time."""
    problems: list[str]
    older: datetime | None
    """Promotion time; the next page contains releases promoted before it. It is null if there is no next page."""


class Production(FrozenModel):
    asked: str
    """Time as the user entered it; empty for the current time."""
    moment: ProductionState


def releases(
    here: RequestState, person: Person, before: datetime | None = None, most: RowLimit = PAGE_SIZE
) -> Releases:
    """Return a page of releases, newest first. If `before` is given, only releases promoted before it are included."""
    if before is not None and before.tzinfo is None:
        before = before.replace(tzinfo=UTC)
    use_cases = TeamAccess(here, person).use_cases
    lines = [
        promotions.read_promotions(here.ledger, here.governance, name)
        for name in promotions.model_names(here.ledger)
        if use_cases.contains(name)
    ]
    listed = [(known, line) for line in lines for known in promoted.releases_of(line, here.governance)]
    listed.sort(key=lambda each: each[0].promoted_at, reverse=True)
    wanted = [each for each in listed if before is None or each[0].promoted_at < before]
    rows = [promoted.summarise_release(known, line, here.ledger, here.governance) for known, line in wanted[:most]]
    champions = [reign for line in lines for reign in _champion_periods(line)]
    older = rows[-1].promoted_at if len(wanted) > most else None
    problems = [problem for line in lines for problem in line.problems][:MAX_PROBLEMS]
    return Releases(rows=rows, champions=champions, read=here.ledger_time, problems=problems, older=older)


def _champion_periods(line: Promotions) -> list[ChampionPeriod]:
    return [_champion_period(each) for each in production_periods.production_periods(line)[-MAX_PERIODS:]]


def _champion_period(each: production_periods.ProductionPeriod) -> ChampionPeriod:
    it, entry = each.signed.promotion, each.signed.entry
    return ChampionPeriod(
        model=it.name, release=it.label, since=each.since, until=each.until, by=it.action,
        entry=entry.seq if entry else 0, reason=it.reason,
    )  # fmt: skip


def production(here: RequestState, person: Person, when: str = "") -> Production:
    """Return the releases in production at the time `when`, by default now, and the people who had decided on them.

    Raises:
        InputError: `when` is not a time, or lies in the future.
    """
    asked = when.strip()
    moment = history.production_state_at(asked or here.ledger_time.isoformat(), here.ledger, here.governance)
    use_cases = TeamAccess(here, person).use_cases
    models = [model for model in moment.models if use_cases.contains(model.name)]
    return Production(asked=asked, moment=moment.model_copy(update={"models": models}))
