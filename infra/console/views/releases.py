"""Every release, and what was in production at a moment."""

from datetime import UTC, datetime

from infra.console.site import Here
from infra.console.views.runs import Many
from tasks.core.config import Frozen
from tasks.policy.people import Person
from tasks.registry.history import history
from tasks.registry.history.history import Moment
from tasks.registry.promote import releases as promoted
from tasks.registry.promote.releases import Release
from tasks.registry.release import promotions, reigns
from tasks.registry.release.promotions import Promotions

PAGE = 15
"""Releases on one page: who let failed checks of one pass is looked up in the ledger, in 10 ms."""
REIGNS = 30
"""Champions of a model on the page."""
MOST_PROBLEMS = 20


class ReleaseRow(Frozen):
    release: str
    aliases: list[str]
    promoted: datetime
    run: str
    tier: str
    demo: bool
    waivers: int
    """Checks that failed and a waiver let pass."""
    expired: int
    """Of these, that count no more."""
    sha256: str


class Reign(Frozen):
    """How long a release was champion, without a break."""

    model: str
    release: str
    since: datetime
    until: datetime | None
    """Null: it still is."""
    by: str
    """What made it champion: promote or rollback."""
    entry: int
    """Of the ledger."""
    reason: str
    """Of a rollback."""


class Releases(Frozen):
    rows: list[ReleaseRow]
    """Newest first."""
    champions: list[Reign]
    """The last of each model, oldest first."""
    read: datetime
    """When: the one without an end was champion until then."""
    problems: list[str]
    """What is wrong with promotions in the ledger, in words."""
    older: datetime | None
    """Releases before this time are on the next page; null where there are none."""


class At(Frozen):
    asked: str
    """As the reader gave it; empty: now."""
    moment: Moment


def releases(here: Here, person: Person, before: datetime | None = None, most: Many = PAGE) -> Releases:
    """A page of them, newest first."""
    if before is not None and before.tzinfo is None:
        before = before.replace(tzinfo=UTC)
    lines = [promotions.read(here.ledger, here.governance, name) for name in promotions.names(here.ledger)]
    listed = [(known, line) for line in lines for known in promoted.releases_of(line, here.governance)]
    listed.sort(key=lambda each: each[0].promoted_at, reverse=True)
    wanted = [each for each in listed if before is None or each[0].promoted_at < before]
    rows = [_row(here, line, known) for known, line in wanted[:most]]
    champions = [reign for line in lines for reign in _reigns(line)]
    older = rows[-1].promoted if len(wanted) > most else None
    problems = [problem for line in lines for problem in line.problems][:MOST_PROBLEMS]
    return Releases(rows=rows, champions=champions, read=here.now, problems=problems, older=older)


def _reigns(line: Promotions) -> list[Reign]:
    return [_reign(each) for each in reigns.reigns(line)[-REIGNS:]]


def _reign(each: reigns.Reign) -> Reign:
    it, entry = each.signed.promotion, each.signed.entry
    return Reign(
        model=it.name, release=it.label, since=each.since, until=each.until, by=it.action,
        entry=entry.seq if entry else 0, reason=it.reason,
    )  # fmt: skip


def _row(here: Here, line: Promotions, release: Release) -> ReleaseRow:
    relied = promoted.waived_in(line, release, here.ledger, here.governance)
    return ReleaseRow(
        release=str(release.label),
        aliases=release.aliases,
        promoted=release.promoted_at,
        run=release.run,
        tier=release.tier,
        demo=release.demo,
        waivers=len(relied),
        expired=sum(not each.counts for each in relied),
        sha256=release.sha256,
    )


def at(here: Here, person: Person, when: str = "") -> At:
    """What was in production then, and who had decided it. Raises InputError for what is no time, or has not come."""
    asked = when.strip()
    return At(asked=asked, moment=history.at(asked or here.now.isoformat(), here.ledger, here.governance))
