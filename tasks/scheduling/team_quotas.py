"""Team of an occasion, and the quota that keeps the occasion from getting a run."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

from tasks.core.errors import InputError
from tasks.ledger.ledger import Ledger
from tasks.policy.policy import Policy
from tasks.policy.teams import find_team
from tasks.runs import team_usage
from tasks.runs.git.repository import Repository
from tasks.runs.requests.commit_files import CommitFiles
from tasks.scheduling.occasion_entries import Occasion

TEAM_KEY = team_usage.TEAM_KEY


def with_team(occasion: Occasion, checkout: Repository, policy: Policy) -> Occasion:
    """Return the occasion with the team of its use case among its facts, which the ledger records.

    The occasion is returned as it is if policy has no teams, or if its parameters cannot be read: requesting its run
    then fails with the reason.
    """
    if policy.teams:
        with suppress(InputError):
            params = CommitFiles.at_head(checkout).read_params(occasion.params, occasion.changes)
            if team := find_team(policy.teams, params.use_case.name):
                return replace(occasion, facts=occasion.facts | {TEAM_KEY: team})
    return occasion


def quota_checker(occasion: Occasion, ledger: Ledger, policy: Policy) -> Callable[[], str]:
    """Return a function that returns why the occasion's team may have no further run now; empty if it may."""
    team = occasion.facts.get(TEAM_KEY)
    return partial(team_usage.quota_problem, ledger, policy, team) if team else str
