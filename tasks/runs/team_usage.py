"""Open runs and cost of each team, read from the ledger, which all machines share.

If policy has teams, the entry of a run request names the run's team, use case and price of a machine hour. The cost of
a run is the time of its finished stages at this price. The time of a stage that failed is not in the ledger, and does
not count.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from pydantic import ValidationError

from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.formatting import format_count
from tasks.core.params.params import Params
from tasks.core.params.values import Name
from tasks.gates import signed_request
from tasks.ledger.ledger import Entry, Ledger
from tasks.policy.policy import Policy
from tasks.policy.teams import find_team
from tasks.runs import run_entries

ACCOUNT_KEY = "account"
"""Field of a run request's entry that says to which team the run is charged."""
TEAM_KEY = "team"
"""Field of an occasion's entry that names the team of its run."""
OVER_QUOTA_KEY = "over_quota"
"""Field of the entry of an occasion that has no run because of its team's quota."""
COST_WINDOW = timedelta(days=30)
MAX_SILENCE = signed_request.MAX_AGE
"""Time after its last entry for which an open run counts. A request that is older begins no run, and a machine that was
lost records no end."""


class RunAccount(FrozenModel):
    """Team to which a run is charged."""

    team: Name
    use_case: Name
    price_per_hour: float
    """Price of a machine hour in USD, from the run's parameters."""


class TeamUsage(NamedTuple):
    open_runs: list[str]
    """Ids of the runs that are queued or executing, oldest first."""
    cost: float
    """Cost of the stages of COST_WINDOW in USD."""


def account_of_run(policy: Policy, params: Params) -> RunAccount | None:
    """Return the team to which a run is charged; None if policy has no team for it."""
    use_case = params.use_case.name
    team = find_team(policy.teams, use_case)
    return (team and RunAccount(team=team, use_case=use_case, price_per_hour=params.evaluation.price_per_hour)) or None


def use_case_of_request(ledger: Ledger, run: str) -> str:
    """Return the use case with which a run was requested, on whatever machine; empty if no entry names it."""
    return next((account.use_case for entry, account in _requests(ledger, run)), "")


def admission_fields(ledger: Ledger, policy: Policy, params: Params, run: str) -> dict[str, Any]:
    """Return the fields that the entry of a run request gets for its team; empty if policy has no teams.

    Raises:
        InputError: The quota of the team is used up.
    """
    account = account_of_run(policy, params)
    if account is None:
        return {}
    require_quota(ledger, policy, account.team, run)
    return {ACCOUNT_KEY: account.model_dump(mode="json")}


def require_quota(ledger: Ledger, policy: Policy, team: str, run: str) -> None:
    """Require that a team may have a further run, which has the id `run`.

    Raises:
        InputError: The quota of the team is used up.
    """
    if problem := quota_problem(ledger, policy, team, run):
        raise InputError(problem)


def quota_problem(ledger: Ledger, policy: Policy, team: str, run: str = "") -> str:
    """Return the reason why a run would exceed the quota of its team; empty if it would not.

    Args:
        ledger: Ledger with the team's runs.
        policy: Policy with the team.
        team: Name of the team.
        run: Id of the run, which does not count itself.
    """
    quota = policy.teams[team].quota
    if quota.runs_at_once is None and quota.cost_in_30_days is None:
        return ""
    used = read_usage(ledger, policy)[team]
    others = [each for each in used.open_runs if each != run]
    if quota.runs_at_once is not None and len(others) >= quota.runs_at_once:
        return (
            f"team {team} may have {format_count(quota.runs_at_once, 'run')} at once, and {len(others)} are queued or "
            f"executing: {', '.join(others)}; ask again once one of them has ended or waits at a gate"
        )
    if quota.cost_in_30_days is not None and used.cost >= quota.cost_in_30_days:
        return (
            f"team {team} may use {quota.cost_in_30_days:.2f} USD in 30 days, and its stages have cost {used.cost:.2f} "
            "USD; ask again when older stages are past, or have the quota changed in policy.yaml"
        )
    return ""


def read_usage(ledger: Ledger, policy: Policy) -> dict[str, TeamUsage]:
    """Return the usage of each team of a policy."""
    with ledger.reading():
        now = ledger.now()
        accounts = {entry.subject: account for entry, account in _requests(ledger)}
        team_by_run = {run: team for run, _, team in _queued(ledger, now)}
        team_by_run |= {run: account.team for run, account in accounts.items()}
        stages = list(_newest_until(ledger, run_entries.STAGE_KIND, now - COST_WINDOW))
        open_runs = _open_runs(ledger, team_by_run, stages, now)
    usage = {name: TeamUsage([], 0.0) for name in policy.teams}
    for run in open_runs:
        if (team := team_by_run[run]) in usage:
            usage[team].open_runs.append(run)
    for entry in stages:
        account = accounts.get(entry.subject)
        if account and account.team in usage:
            price = policy.teams[account.team].quota.price_per_hour
            cost = _hours(entry) * (account.price_per_hour if price is None else price)
            usage[account.team] = usage[account.team]._replace(cost=usage[account.team].cost + cost)
    return usage


def _open_runs(ledger: Ledger, runs: Iterable[str], stages: list[Entry], now: datetime) -> list[str]:
    ended = {entry.subject: entry.seq for entry in ledger.entries(run_entries.ENDED_KIND)}
    ended |= {
        entry.subject: max(entry.seq, ended.get(entry.subject, 0))
        for entry in ledger.entries(run_entries.INTERRUPTED_KIND)
        if not entry.body.get("goes_on")
    }
    waiting = {entry.subject for entry in ledger.open_questions()}
    active = {run: (seq, time) for run, seq, time in _beginnings(ledger, now)}
    for entry in reversed(stages):
        active[entry.subject] = max(active.get(entry.subject, (0, entry.time)), (entry.seq, entry.time))
    return sorted(
        run
        for run in runs
        if run in active and run not in waiting
        and active[run][0] > ended.get(run, 0) and now - active[run][1] < MAX_SILENCE
    )  # fmt: skip


def _beginnings(ledger: Ledger, now: datetime) -> Iterator[tuple[str, int, datetime]]:
    yield from ((run, entry.seq, entry.time) for run, entry, _ in _queued(ledger, now))
    yield from ((entry.subject, entry.seq, entry.time) for entry, _ in _requests(ledger))


def _requests(ledger: Ledger, run: str | None = None) -> Iterator[tuple[Entry, RunAccount]]:
    for entry in ledger.entries(signed_request.ENTRY_KIND, run):
        if ACCOUNT_KEY in entry.body:
            try:
                yield entry, RunAccount.model_validate(entry.body[ACCOUNT_KEY])
            except ValidationError:  # written by something else than Hallmark
                continue


def _queued(ledger: Ledger, now: datetime) -> Iterator[tuple[str, Entry, str]]:
    """Yield run, entry and team of recent occasions. Their runs may still be queued, without a recorded request."""
    for entry in _newest_until(ledger, run_entries.TAKEN_KIND, now - MAX_SILENCE):
        team, run = entry.body.get(TEAM_KEY), entry.body.get("run")
        if isinstance(team, str) and isinstance(run, str):
            yield run, entry, team


def _newest_until(ledger: Ledger, kind: str, oldest: datetime) -> Iterator[Entry]:
    for entry in ledger.newest_first(kind):
        if entry.time < oldest:
            return
        yield entry


def _hours(stage: Entry) -> float:
    seconds = stage.body.get("seconds")
    return float(seconds) / 3600 if isinstance(seconds, int | float) else 0.0
