"""Roles that somebody has to hold under a policy, and their duties in words."""

from typing import NamedTuple

from tasks.policy import staffing
from tasks.policy.policy import Policy

DUTIES = {
    "decisions": "decides at gate {gate}",
    "waive": "waives checks",
    "escalate": "is told of late decisions",
    "separation": "decides beside the sole owner of the data",
    "break_glass": "orders or confirms emergency rollbacks",
}
"""Duty by the key of policy.yaml that names the role."""


class NeededRole(NamedTuple):
    role: str
    minimum: int
    """Minimum number of people; 0 if the policy can do without them."""
    duties: tuple[str, ...]
    """Duties in words, each once, in the order of policy.yaml."""


def needed_roles(policy: Policy) -> list[NeededRole]:
    """Return every role that the policy needs for requests, gates and changes, in the order in which runs need them."""
    minimums, duties = dict[str, int](), dict[str, dict[str, None]]()

    def need(role: str, count: int, duty: str) -> None:
        minimums[role] = max(minimums.get(role, 0), count)
        duties.setdefault(role, {})[duty] = None

    for tier in policy.tiers.values():
        for role in tier.requesters or []:
            alone = len(tier.requesters or []) == 1 and not tier.scheduler
            need(role, int(alone), "asks for runs")
    for where, role, count in staffing.role_duties(policy):
        key = next(part for part in map(str, where) if part in DUTIES)
        need(role, count, DUTIES[key].format(gate=where[3] if key == "decisions" else ""))
    for what, roles in policy.changes.roles_by_subject():
        for required in roles:
            need(required.role, required.count, f"signs {what} off")
    return [NeededRole(role, count, tuple(duties[role])) for role, count in minimums.items()]
