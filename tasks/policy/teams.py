"""Teams of an organisation: their use cases and people, and the limits on their runs.

Teams share one policy, and the gates of a run are those of its risk tier. What policy says of a team only restricts
this: who of those that a tier lets request runs may do so, in which tiers, how many, and at what cost.
"""

from collections.abc import Collection, Iterator
from typing import Annotated

from pydantic import Field

from tasks.core.documents.config import FrozenModel
from tasks.core.formatting import format_count
from tasks.core.params.values import Name


class Quota(FrozenModel):
    """Limits on the runs of a team, over all machines that share the ledger."""

    runs_at_once: Annotated[int, Field(ge=1)] | None = None
    """Maximum number of runs that are queued or executing; null for no limit. A run that waits at a gate does not
    count."""
    cost_in_30_days: Annotated[float, Field(gt=0)] | None = None
    """Cost of the team's stages in the last 30 days, in USD, from which on no further run begins; null for no limit.
    Runs that have begun go on."""
    price_per_hour: Annotated[float, Field(ge=0)] | None = None
    """Price of a machine hour in USD, from which the cost is computed. If null, `evaluation.price_per_hour` of each run
    is used, which the team sets itself."""


class Team(FrozenModel):
    """Team with the use cases that it answers for."""

    use_cases: Annotated[list[Name], Field(min_length=1)]
    """Names of use cases, as in `use_case.name` of their params files. Each use case belongs to one team."""
    people: Annotated[list[Name], Field(min_length=1)]
    """Ids of the people who may request runs of these use cases, if a risk tier lets them, and who see these runs."""
    risk_tiers: Annotated[list[Name], Field(min_length=1)] | None = None
    """Risk tiers in which the team's runs may be; null for every tier of the policy."""
    quota: Quota = Quota()
    """Limits on the team's runs."""


def request_refusal(teams: dict[str, Team], use_case: str, requester: str, tier: str, is_person: bool) -> str:
    """Return the reason why teams do not let a requester request a run; empty if they do, or if there are no teams.

    Args:
        teams: Teams of the policy by name.
        use_case: Use case of the run.
        requester: Id of the requester.
        tier: Risk tier of the run.
        is_person: Whether the requester is a person. The scheduler belongs to no team.
    """
    if not teams:
        return ""
    name = find_team(teams, use_case)
    if name is None:
        return f"use case {use_case} belongs to no team, and policy has teams; add it to `use_cases` of one"
    team = teams[name]
    if is_person and requester not in team.people:
        who = ", ".join(team.people)
        return (
            f"use case {use_case} is of team {name}, and {requester} is not; its people are {who}: let one of them ask"
        )
    if team.risk_tiers is not None and tier not in team.risk_tiers:
        return f"policy lets team {name} have runs of risk tier {' or '.join(team.risk_tiers)}, not of {tier}"
    return ""


def consistency_problem(teams: dict[str, Team], tiers: Collection[str]) -> str:
    """Return the reason why teams contradict each other or the tiers of the policy; empty if they do not."""
    team_by_use_case = dict[str, str]()
    for name, team in teams.items():
        for use_case in team.use_cases:
            if (other := team_by_use_case.setdefault(use_case, name)) != name:
                return f"teams: use case {use_case} is of {other} and of {name}; it can belong to one team"
        if unknown := [tier for tier in team.risk_tiers or [] if tier not in tiers]:
            return f"teams.{name}.risk_tiers: no tier is called {', '.join(unknown)}; there are {', '.join(tiers)}"
    return ""


def find_team(teams: dict[str, Team], use_case: str) -> str | None:
    return next((name for name, team in teams.items() if use_case in team.use_cases), None)


def describe_quota(quota: Quota) -> Iterator[str]:
    """Yield a line in words for each limit."""
    if quota.runs_at_once is not None:
        yield f"at most {format_count(quota.runs_at_once, 'run')} at once, queued or executing"
    if quota.cost_in_30_days is not None:
        price = "each run's own price" if quota.price_per_hour is None else f"{quota.price_per_hour:g} USD"
        yield f"no run begins once stages have cost {quota.cost_in_30_days:g} USD in 30 days, at {price} an hour"
