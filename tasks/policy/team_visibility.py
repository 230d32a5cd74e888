"""Use cases whose runs a person sees: those of their own teams, or all for auditors and overseers."""

from datetime import datetime
from typing import NamedTuple

from tasks.policy.gate_rules import AUDITOR_ROLE
from tasks.policy.people import Person
from tasks.policy.policy import Policy


class VisibleUseCases(NamedTuple):
    names: frozenset[str] | None
    """Names of the use cases; None for every use case, also of runs that no team answers for."""

    def contains(self, use_case: str) -> bool:
        return self.names is None or use_case in self.names


EVERY_USE_CASE = VisibleUseCases(None)


def visible_use_cases(policy: Policy, person: Person, at: datetime) -> VisibleUseCases:
    """Return the use cases whose runs a person sees at a time. Without teams, everybody sees all of them."""
    if not policy.teams or {AUDITOR_ROLE, *policy.overseers} & set(person.roles_at(at)):
        return EVERY_USE_CASE
    own = (team for team in policy.teams.values() if person.id in team.people)
    return VisibleUseCases(frozenset(use_case for team in own for use_case in team.use_cases))
