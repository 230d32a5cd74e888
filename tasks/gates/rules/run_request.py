"""Rules for run requests. Each rule is a function that returns the reason why a request is not allowed, or None.

The rules are used in three places: in tasks/runs/run.py before a request is signed, in gates.py when a gate is judged,
and in tasks/registry/verify/attestation_checks.py when a release is verified offline. The roles and keys that count are
those at `RecordedRunRequest.effective_at`. A release does not contain the time at which its request was recorded, so
the signing time of the request is used there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tasks.core.formatting import format_time
from tasks.policy import teams
from tasks.policy.people import Person
from tasks.policy.policy import LOCAL_ENVIRONMENT, Policy
from tasks.policy.signed_document import PeopleById
from tasks.policy.tier import SCHEDULER


@dataclass(frozen=True)
class RequestClaim:
    requester: str
    person: Person | None
    """Person who requests the run; None for the scheduler, and for a requester who is not in people.yaml."""
    tier: str
    use_case: str
    policy: Policy
    judged_at: datetime

    @property
    def roles(self) -> list[str]:
        return self.person.roles_at(self.judged_at) if self.person else []


def refuse_unknown_requester(claim: RequestClaim) -> str | None:
    if claim.person or claim.requester == SCHEDULER:
        return None
    return f"{claim.requester} is not in people.yaml"


def refuse_without_role(claim: RequestClaim) -> str | None:
    """Return a reason to refuse a requester whose roles have all ended, even if policy lets everybody request runs."""
    if claim.person is None or claim.roles:
        return None
    return f"{claim.requester} held no role on {format_time(claim.judged_at)}, as people.yaml says"


def refuse_demo_identity(claim: RequestClaim) -> str | None:
    if claim.person and claim.person.demo and claim.policy.environment != LOCAL_ENVIRONMENT:
        return f"{claim.requester} is a demo identity, which counts in environment {LOCAL_ENVIRONMENT} alone"
    return None


def refuse_for_tier(claim: RequestClaim) -> str | None:
    """Return a reason to refuse a requester who is not allowed to request runs of the risk tier.

    Raises:
        InputError: The tier is not in policy.yaml.
    """
    return claim.policy.tier(claim.tier).request_refusal(claim.requester, claim.roles) or None


def refuse_for_team(claim: RequestClaim) -> str | None:
    """Return a reason to refuse a requester or a risk tier that does not fit the team of the use case."""
    is_person = claim.requester != SCHEDULER
    return teams.request_refusal(claim.policy.teams, claim.use_case, claim.requester, claim.tier, is_person) or None


RULES: tuple[Callable[[RequestClaim], str | None], ...] = (
    refuse_unknown_requester,
    refuse_without_role,
    refuse_demo_identity,
    refuse_for_tier,
    refuse_for_team,
)


def refusal_reason(
    requester: str, tier: str, use_case: str, policy: Policy, people: PeopleById, judged_at: datetime
) -> str | None:
    """Return the reason why a requester is not allowed to request runs of a risk tier; None if they are allowed to.

    Args:
        requester: Id of a person, or SCHEDULER.
        tier: Risk tier of the run.
        use_case: Use case of the run.
        policy: Policy to judge by.
        people: People with their roles.
        judged_at: Time at which the requester must be allowed to.

    Raises:
        InputError: The tier is not in policy.yaml.
    """
    asking = RequestClaim(requester, people.get(requester), tier, use_case, policy, judged_at)
    return next((reason for rule in RULES if (reason := rule(asking))), None)
