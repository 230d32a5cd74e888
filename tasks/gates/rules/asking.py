"""Who may ask for a run, each rule once: a function of an `Asking` that says why somebody may not, or None.

Three ask them: tasks/runs/run.py before anybody signs, gates.py when a gate is judged, and
tasks/registry/verify/attested.py of a release, offline. Roles are those of the moment at which the key is judged too
(`SignedRequest.at`); a release does not hold when its request was recorded, and takes the request's own time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tasks.policy.people import Person
from tasks.policy.policy import LOCAL, SCHEDULER, Policy
from tasks.policy.read_signed import Known
from tasks.trust.validity import shown


@dataclass(frozen=True)
class Asking:
    """That somebody asks for a run."""

    who: str
    person: Person | None
    """None: the scheduler, which is no person, or nobody who is known."""
    tier: str
    policy: Policy
    at: datetime
    """As of when."""

    @property
    def roles(self) -> list[str]:
        return self.person.roles_at(self.at) if self.person else []


def known(asking: Asking) -> str | None:
    if asking.person or asking.who == SCHEDULER:
        return None
    return f"{asking.who} is not in people.yaml"


def any_role(asking: Asking) -> str | None:
    """Also where policy lets everybody ask: who left is nobody."""
    if asking.person is None or asking.roles:
        return None
    return f"{asking.who} held no role on {shown(asking.at)}, as people.yaml says"


def demo_identity(asking: Asking) -> str | None:
    if asking.person and asking.person.demo and asking.policy.environment != LOCAL:
        return f"{asking.who} is a demo identity, which counts in environment {LOCAL} alone"
    return None


def tier_asks(asking: Asking) -> str | None:
    """Raises InputError for a tier that is not in policy.yaml."""
    return asking.policy.tier(asking.tier).may_not_request(asking.who, asking.roles) or None


RULES: tuple[Callable[[Asking], str | None], ...] = (known, any_role, demo_identity, tier_asks)


def why_not(who: str, tier: str, policy: Policy, people: Known, at: datetime) -> str | None:
    """Why somebody may not ask for a run of a risk tier; None where they may. Raises InputError as `tier_asks`."""
    asking = Asking(who, people.get(who), tier, policy, at)
    return next((reason for rule in RULES if (reason := rule(asking))), None)
