"""Rules of run requests, each written once: a function that returns why a `RequestClaim` is not allowed, or None.

They are used in three places: in tasks/runs/run.py before a request is signed, in gates.py when a gate is judged, and
in tasks/registry/verify/attestation_checks.py for a release, offline. Roles and keys are judged as of the same time
(`RecordedRunRequest.effective_at`). A release does not contain the time at which its request was recorded, so the
request's own time is used there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tasks.core.formatting import format_time
from tasks.policy.people import Person
from tasks.policy.policy import LOCAL, SCHEDULER, Policy
from tasks.policy.signed_document import PeopleById


@dataclass(frozen=True)
class RequestClaim:
    requester: str
    person: Person | None
    """Person who requests the run; None for the scheduler, and for a requester who is not in people.yaml."""
    tier: str
    policy: Policy
    at: datetime

    @property
    def roles(self) -> list[str]:
        return self.person.roles_at(self.at) if self.person else []


def known_requester(asking: RequestClaim) -> str | None:
    if asking.person or asking.requester == SCHEDULER:
        return None
    return f"{asking.requester} is not in people.yaml"


def any_role(asking: RequestClaim) -> str | None:
    """Return a reason to refuse people whose roles have all ended, even if policy lets everybody request runs."""
    if asking.person is None or asking.roles:
        return None
    return f"{asking.requester} held no role on {format_time(asking.at)}, as people.yaml says"


def demo_identity(asking: RequestClaim) -> str | None:
    if asking.person and asking.person.demo and asking.policy.environment != LOCAL:
        return f"{asking.requester} is a demo identity, which counts in environment {LOCAL} alone"
    return None


def tier_requesters(asking: RequestClaim) -> str | None:
    """Return a reason to refuse people who may not request runs of the risk tier.

    Raises:
        InputError: The tier is not in policy.yaml.
    """
    return asking.policy.tier(asking.tier).request_refusal(asking.requester, asking.roles) or None


RULES: tuple[Callable[[RequestClaim], str | None], ...] = (known_requester, any_role, demo_identity, tier_requesters)


def why_not(who: str, tier: str, policy: Policy, people: PeopleById, at: datetime) -> str | None:
    """Return the reason why somebody may not request runs of a risk tier; None if they may.

    Raises:
        InputError: The tier is not in policy.yaml.
    """
    asking = RequestClaim(who, people.get(who), tier, policy, at)
    return next((reason for rule in RULES if (reason := rule(asking))), None)
