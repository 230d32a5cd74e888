"""What policy.yaml says of one gate: its checks, who decides, who may waive, by when, and which keys count."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tasks.core.config import Frozen
from tasks.core.params.values import Name, Text

AUDITOR = "auditor"
"""The role that reads every page of the console and changes nothing."""
LOCAL = "local"
"""The environment in which keys made by `hallmark init` and demo people count."""
STANDING = {
    "data": "every source is approved for the use case",
    "evaluation": "no success metric asks less than that of the version adopted last",
}
"""By gate, the check that stands there in every tier that has gates (tasks/gates/checks/checks.py). Policy may let a
role waive it, and cannot leave it out."""
MOST_DAYS = 365_000
"""A thousand years, so that a time with them added is one of the calendar."""


def _at_most(most: int, unit: str) -> AfterValidator:
    """Not part of the schema, which earlier policies were signed under."""

    def check(value: float) -> float:
        if value > most:
            raise ValueError(f"expected at most {most:,} {unit}, got {value:g}")
        return value

    return AfterValidator(check)


Days = Annotated[float, Field(gt=0), _at_most(MOST_DAYS, "days")]
Hours = Annotated[float, Field(gt=0), _at_most(24 * MOST_DAYS, "hours")]
Strength = Literal["installed", "own", "hardware"]
"""`installed`: keys that `hallmark init` made here count too, in environment `local` alone. `own`: only keys that
people.yaml gives. `hardware`: only those of them that are in a FIDO2 authenticator, passkeys too."""


class Check(Frozen):
    """A figure that must be reached for the gate to pass by itself."""

    name: Text
    """As people see it, and as a waiver names it."""
    fact: Text
    """`STAGE.NAME`, or `measured.STAGE.NAME` (tasks/core/facts.py)."""
    bound: Literal["value", "low", "high"] = "value"
    """Compare the point estimate or an end of its interval."""
    at_least: float | None = None
    """The figure must reach this. Give either this or `at_most`."""
    at_most: float | None = None
    """The figure must not exceed this."""
    optional: bool = False
    """Passes where the fact does not exist, e.g. a comparison with a champion when there is none."""

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"{self.name}: give exactly one of at_least and at_most")
        return self


class Role(Frozen):
    """How many people of a role must approve."""

    role: Name
    """A role of people.yaml."""
    count: Annotated[int, Field(ge=1)] = 1
    """So many people of it, each another."""
    owners: bool = False
    """At the data gate: every owner of a source must approve, in this role, and nobody else may. On a demo run a demo
    identity stands in for them."""

    @model_validator(mode="after")
    def _all_of_them(self) -> Self:
        if self.owners and self.count != 1:
            raise ValueError(f"role {self.role}: with `owners` the sources say how many; leave `count` out")
        return self


class Waive(Frozen):
    """Who may waive a failed check, with reason and expiry."""

    role: Name
    """Role that may waive."""
    max_days: Days
    """How far ahead of its signing a waiver may expire."""
    checks: Annotated[list[Text], Field(min_length=1)] | None = None
    """Names of the checks that may be waived; null: any of the gate's, those that stand in every tier too."""

    def covers(self, check: str) -> bool:
        return self.checks is None or check in self.checks


class Escalate(Frozen):
    """Who is told of a gate that waits too long."""

    role: Name
    """Role that is told."""
    after_days: Days
    """Days after the gate was asked."""


class Gate(Frozen):
    """What one gate asks."""

    checks: list[Check] = []
    """Figures that must be reached, besides the checks of every tier."""
    success_metrics: bool = False
    """Also check the use case's success metrics that are judged at evaluation."""
    decisions: list[Role] = []
    """Empty: the checks alone decide."""
    waive: Waive | None = None
    """Null: nobody may waive a failed check."""
    deadline_days: Days = 14
    """Days after the gate was asked in which decisions count."""
    remind_days: list[Days] = []
    """Days after the gate was asked at which those who still have to decide are reminded."""
    escalate: Escalate | None = None
    """Null: nobody else is told."""
    signature: Strength = "installed"
    """Which keys count in decisions at this gate."""

    @property
    def asks_owners(self) -> bool:
        return any(role.owners for role in self.decisions)

    def waivable(self, check: str) -> bool:
        return self.waive is not None and self.waive.covers(check)

    @model_validator(mode="after")
    def _unique(self) -> Self:
        for what, names in (
            ("check", [*STANDING.values(), *(c.name for c in self.checks)]),
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
        unknown = sorted(set(named) - {check.name for check in self.checks} - set(STANDING.values()))
        if unknown:
            raise ValueError(f"waive: no check of this gate is named {', '.join(unknown)}")
        return self
