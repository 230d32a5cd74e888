"""Command `hallmark teams`, and the option --team of commands that list runs."""

from typing import Annotated, Any

import typer

from infra.cli import shared
from tasks.core.errors import InputError
from tasks.policy.policy import Policy
from tasks.policy.teams import Team
from tasks.runs import team_usage
from tasks.runs.team_usage import TeamUsage

TeamOption = Annotated[str | None, typer.Option(metavar="NAME", help="Only runs of this team (`hallmark teams`).")]
NO_TEAMS = "policy has no teams: add `teams` to policy.yaml, then `hallmark policy adopt`"


def list_teams(as_json: shared.Json = False) -> None:
    """List the teams of the policy in force: use cases, people, open runs, cost of 30 days, and quota.

    Open runs are queued or executing, on any machine that shares the ledger. The cost is that of finished stages.

    Example: hallmark teams
    """
    here = shared.open_checkout()
    policy = here.governance.policy
    usage = team_usage.read_usage(here.ledger, policy)
    if as_json:
        shared.print_json([_document(name, team, usage[name]) for name, team in policy.teams.items()])
        return
    header = ["team", "use cases", "people", "risk tiers", "open runs", "USD in 30 days"]
    rows = [_cells(name, team, usage[name], policy) for name, team in policy.teams.items()]
    shared.print_table(header, rows, NO_TEAMS)


def use_cases_of_team(name: str | None) -> frozenset[str] | None:
    """Return the use cases of the team that --team names; None if the option is not given.

    Raises:
        InputError: Policy has no such team.
    """
    if name is None:
        return None
    teams = shared.open_checkout().governance.policy.teams
    if name not in teams:
        raise InputError(f"--team {name}: policy has {'teams ' + ', '.join(teams) if teams else 'no teams'}")
    return frozenset(teams[name].use_cases)


def _cells(name: str, team: Team, used: TeamUsage, policy: Policy) -> list[str]:
    most, budget = team.quota.runs_at_once, team.quota.cost_in_30_days
    runs = f"{len(used.open_runs)} of {most}" if most is not None else str(len(used.open_runs))
    cost = f"{used.cost:.2f} of {budget:.2f}" if budget is not None else f"{used.cost:.2f}"
    tiers = ", ".join(team.risk_tiers or policy.tiers)
    return [name, ", ".join(team.use_cases), ", ".join(team.people), tiers, runs, cost]


def _document(name: str, team: Team, used: TeamUsage) -> dict[str, Any]:
    usage = {"open_runs": used.open_runs, "cost_in_30_days": round(used.cost, 4)}
    return {"team": name} | team.model_dump(mode="json") | usage
