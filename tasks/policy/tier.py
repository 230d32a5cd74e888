"""Rules of a risk tier: its gates, who requests its runs, and which decisions take different people."""

from collections.abc import Collection
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.graph import GATES
from tasks.core.params.values import Name
from tasks.policy.gate_rules import AUDITOR_ROLE, GateRules, Hours
from tasks.trust.gate_statement import GateName

SCHEDULER: Final = "scheduler"


class Separation(FrozenModel):
    """Rules that require different people to make certain decisions."""

    two_roles: bool = True
    """Whether one person's approvals and waivers can count in more than one role in a run. If false, they count only in
    the role of the person's first decision, at the earliest gate."""
    sole_owner: Name | None = None
    """Role in which a second person must also approve the data gate if one person owns all sources of a run; null if no
    second person is required."""


class BreakGlass(FrozenModel):
    """Roles for an emergency rollback: one that orders it at once, and one that confirms it afterwards."""

    role: Name
    """Role that is allowed to order the rollback."""
    confirm_role: Name
    """Role of the second person, who confirms the rollback."""
    confirm_hours: Hours
    """Number of hours in which the rollback must be confirmed."""


NO_SCHEDULER_MESSAGE = (
    "policy does not let the scheduler ask for runs of this risk tier; a person asks, with `hallmark run --as ID`, or "
    "policy says `scheduler: true` for the tier"
)


class Tier(FrozenModel):
    """Rules for runs of a risk tier."""

    gates: dict[GateName, GateRules]
    """Rules of each gate. Empty for tier `experiment`, which needs no decisions and whose models cannot be promoted."""
    level: Annotated[int, Field(ge=1)] | None = None
    """Level of risk among the tiers with gates. An approval at one level is also valid at lower levels, and a champion
    can be replaced only from its own level or a higher one. Required if more than one tier has gates."""
    requesters: list[Name] | None = None
    """Roles that may request a run. Null means everybody in people.yaml except people who are only auditors. An empty
    list means only the scheduler."""
    scheduler: bool = False
    """Whether the scheduler may request runs under its own identity."""
    separation: Separation = Separation()
    """Rules that require different people to make certain decisions."""
    machines: Annotated[int, Field(ge=1, le=9)] = 1
    """Number of machines, each with its own worker key, that must produce the same outputs for a run before its release
    (`hallmark reproduce RUN`)."""
    keep_days: Annotated[int, Field(ge=1)] | None = 90
    """Number of days after the end of a run in which `hallmark clean` does not remove the run's files; null for no
    removal. What can go on, what a release was made of, and the newest run of a use case stay in any case."""
    break_glass: BreakGlass | None = None
    """Rule for emergency rollbacks; null if every rollback needs the roles of the release gate."""

    def request_refusal(self, requester: str, roles: Collection[str]) -> str:
        """Return the reason why a requester is not allowed to request a run of this tier; empty if they are allowed to.

        Args:
            requester: Id of a person, or SCHEDULER.
            roles: Roles of the person; empty for the scheduler.
        """
        if requester == SCHEDULER:
            return "" if self.scheduler else NO_SCHEDULER_MESSAGE
        if set(roles) == {AUDITOR_ROLE}:
            return f"{requester} is {AUDITOR_ROLE}, who reads everything and asks for nothing"
        if self.requesters is None or set(roles) & set(self.requesters):
            return ""
        asked = " or ".join(self.requesters) or "nobody but the scheduler"
        return f"to ask for a run of this risk tier takes {asked}; {requester} holds {', '.join(roles) or 'no role'}"

    def unsupported_gates(self) -> str:
        """Return the reason why this version of Hallmark cannot execute runs of this tier; empty if it can.

        A policy with other gates, adopted under an earlier version, can still be read and verified.
        """
        if not self.gates or set(self.gates) == set(GATES):
            return ""
        return f"a tier has either no gates or all of {', '.join(GATES)}; got {', '.join(self.gates)}"

    @model_validator(mode="after")
    def _owners_at_the_data_gate(self) -> Self:
        if "data" in self.gates and self.separation.sole_owner in _owner_roles(self.gates["data"]):
            raise ValueError(
                f"separation: sole_owner {self.separation.sole_owner} is the owners' own role; name another"
            )
        elsewhere = [name for name, gate in self.gates.items() if name != "data" and gate.requires_owners]
        if elsewhere:
            raise ValueError(f"owners of sources decide at the data gate, not at {', '.join(elsewhere)}")
        if asking := [name for name, gate in self.gates.items() if name != "data" and gate.detectors]:
            raise ValueError(f"detectors: the data gate alone looks at them, not {', '.join(asking)}")
        return self


def _owner_roles(gate: GateRules) -> list[str]:
    return [role.role for role in gate.decisions if role.owners]
