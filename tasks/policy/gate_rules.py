"""Rules of one gate in policy.yaml: its checks, who decides, who may waive, deadlines, and which keys count."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import Name, Text

AUDITOR = "auditor"
"""Role of people who read every page of the console and change nothing."""
LOCAL = "local"
"""Name of the environment in which demo identities and keys made by `hallmark init` are valid."""
STANDING_CHECKS = {
    "data": "every source is approved for the use case",
    "evaluation": "no success metric asks less than that of the version adopted last",
}
"""Check of each gate that every tier with gates has (tasks/gates/checks/checks.py).

Policy may let a role waive the check, but cannot remove it.
"""
MAX_DAYS = 365_000
"""Maximum number of days: a thousand years, so that any time plus these days is a valid date."""


def _at_most(most: int, unit: str) -> AfterValidator:
    """Return a validator for a maximum.

    Unlike `Field(le=…)` it does not change the schema, under which policies were signed.
    """

    def check(value: float) -> float:
        if value > most:
            raise ValueError(f"expected at most {most:,} {unit}, got {value:g}")
        return value

    return AfterValidator(check)


Days = Annotated[float, Field(gt=0), _at_most(MAX_DAYS, "days")]
Hours = Annotated[float, Field(gt=0), _at_most(24 * MAX_DAYS, "hours")]
KeyStrength = Literal["installed", "own", "hardware"]
"""Keys that count.

`installed`: also keys made by `hallmark init`, in environment `local` alone. `own`: only keys in people.yaml.
`hardware`: only keys in people.yaml that are in a FIDO2 authenticator, including passkeys."""


class Check(FrozenModel):
    """Limit that a figure must keep for the gate to pass without a waiver."""

    name: Text
    """Name of the check, as pages show it and as waivers name it."""
    fact: Text
    """Name of the figure: `STAGE.NAME`, or `measured.STAGE.NAME` (tasks/core/facts.py)."""
    bound: Literal["value", "low", "high"] = "value"
    """Value to compare: the point estimate, or the low or high end of its interval."""
    at_least: float | None = None
    """Minimum of the figure. Give either this or `at_most`."""
    at_most: float | None = None
    """Maximum of the figure. Give either this or `at_least`."""
    optional: bool = False
    """Whether the check holds if the figure does not exist, for example a comparison with a champion before there is
    one."""

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"{self.name}: give exactly one of at_least and at_most")
        return self


class RequiredRole(FrozenModel):
    """Role that must approve, and by how many people."""

    role: Name
    """Name of a role in people.yaml."""
    count: Annotated[int, Field(ge=1)] = 1
    """Number of different people with this role who must approve."""
    owners: bool = False
    """Whether, at the data gate, every owner of a source must approve in this role, and nobody else may. On a demo run
    a demo identity approves for them."""

    @model_validator(mode="after")
    def _all_of_them(self) -> Self:
        if self.owners and self.count != 1:
            raise ValueError(f"role {self.role}: with `owners` the sources say how many; leave `count` out")
        return self


class WaiverRule(FrozenModel):
    """Role that may waive failed checks, with a reason and an expiry."""

    role: Name
    """Role that may waive."""
    max_days: Days
    """Maximum number of days from the signature of a waiver to its expiry."""
    checks: Annotated[list[Text], Field(min_length=1)] | None = None
    """Names of the checks that may be waived; null: all checks of the gate, including those of every tier."""

    def covers(self, check: str) -> bool:
        return self.checks is None or check in self.checks


class EscalationRule(FrozenModel):
    """Role to notify about a gate that waits too long."""

    role: Name
    """Role to notify."""
    after_days: Days
    """Number of days from the opening of the gate to the notice."""


class GateRules(FrozenModel):
    """Rules of one gate."""

    checks: list[Check] = []
    """Checks of the gate, in addition to those of every tier."""
    success_metrics: bool = False
    """Whether to check the use case's success metrics that are judged at evaluation."""
    decisions: list[RequiredRole] = []
    """Roles that must approve; empty: the checks alone decide."""
    waive: WaiverRule | None = None
    """Rule for waivers; null: nobody may waive a failed check."""
    deadline_days: Days = 14
    """Number of days from the opening of the gate in which decisions count."""
    remind_days: list[Days] = []
    """Numbers of days from the opening of the gate after which people who have yet to decide are reminded."""
    escalate: EscalationRule | None = None
    """Rule for escalation; null: nobody else is notified."""
    signature: KeyStrength = "installed"
    """Keys with which decisions at this gate must be signed."""

    @property
    def asks_owners(self) -> bool:
        return any(role.owners for role in self.decisions)

    def may_waive(self, check: str) -> bool:
        return self.waive is not None and self.waive.covers(check)

    @model_validator(mode="after")
    def _unique(self) -> Self:
        for what, names in (
            ("check", [*STANDING_CHECKS.values(), *(c.name for c in self.checks)]),
            ("role", [r.role for r in self.decisions]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"each {what} of a gate stands here once; twice: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _before_the_deadline(self) -> Self:
        if any(day >= self.deadline_days for day in self.remind_days):
            raise ValueError(f"remind_days: a reminder comes before the deadline of {self.deadline_days:g} days")
        if self.escalate and self.escalate.after_days >= self.deadline_days:
            raise ValueError(f"escalate: after_days comes before the deadline of {self.deadline_days:g} days")
        return self

    @model_validator(mode="after")
    def _waivers_of_its_checks(self) -> Self:
        named = self.waive.checks if self.waive and self.waive.checks and not self.success_metrics else []
        unknown = sorted(set(named) - {check.name for check in self.checks} - set(STANDING_CHECKS.values()))
        if unknown:
            raise ValueError(f"waive: no check of this gate is named {', '.join(unknown)}")
        return self
