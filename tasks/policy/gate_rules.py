"""Rules of one gate in policy.yaml: its checks, deciding roles, waivers, deadlines and accepted keys."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from tasks.core.documents.config import FrozenModel
from tasks.core.params.values import Name, NonEmptyText
from tasks.sources.owner_detectors import LanguageCode
from tasks.sources.protection import Category

AUDITOR_ROLE = "auditor"
"""Role of people who can read every page of the console and change nothing."""
LOCAL_ENVIRONMENT = "local"
"""Name of the environment in which demo identities and keys created by `hallmark init` are valid."""
CHECK_NAMES_OF_EVERY_TIER = {
    "data": "every source is approved for the use case",
    "evaluation": "no success metric asks less than that of the version adopted last",
}
"""Name of the check that every tier with gates has, by gate (tasks/gates/checks/checks.py).

Policy can allow a role to waive the check but cannot remove it.
"""
DETECTOR_CHECK = "every record is read by the detectors that policy asks for"
"""Name of the check that `detectors` of a gate brings with it."""
MAX_DAYS = 365_000
"""Maximum number of days: a thousand years, so that adding the days to a time always gives a valid date."""


def _maximum_validator(most: int, unit: str) -> AfterValidator:
    """Return a validator for a maximum.

    Unlike `Field(le=…)`, the validator does not change the JSON schema. Policies were signed under the existing schema.
    """

    def check(value: float) -> float:
        if value > most:
            raise ValueError(f"expected at most {most:,} {unit}, got {value:g}")
        return value

    return AfterValidator(check)


Days = Annotated[float, Field(gt=0), _maximum_validator(MAX_DAYS, "days")]
Hours = Annotated[float, Field(gt=0), _maximum_validator(24 * MAX_DAYS, "hours")]
KeyStrength = Literal["installed", "own", "hardware"]
"""Kinds of keys that a gate accepts.

`installed`: also keys created by `hallmark init`, only in environment `local`. `own`: only keys in people.yaml.
`hardware`: only keys in people.yaml that are in a FIDO2 authenticator, including passkeys.
"""


class Check(FrozenModel):
    """Limit that a metric must meet for the gate to pass without a waiver."""

    name: NonEmptyText
    """Name of the check, shown on pages and used in waivers."""
    fact: NonEmptyText
    """Name of the metric: `STAGE.NAME`, or `measured.STAGE.NAME` (tasks/core/facts.py)."""
    bound: Literal["value", "low", "high"] = "value"
    """Part of the metric to compare: the point estimate, or the low or high end of its interval."""
    at_least: float | None = None
    """Minimum of the metric. Give either this or `at_most`."""
    at_most: float | None = None
    """Maximum of the metric. Give either this or `at_least`."""
    optional: bool = False
    """Whether the check passes if the metric does not exist, for example a comparison with a champion before the first
    promotion."""

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"{self.name}: give exactly one of at_least and at_most")
        return self


class RequiredRole(FrozenModel):
    """Role in which people must approve, with the required number of people."""

    role: Name
    """Name of a role in people.yaml."""
    count: Annotated[int, Field(ge=1)] = 1
    """Number of different people with this role who must approve."""
    owners: bool = False
    """Whether every owner of a source must approve in this role, and other people cannot. Only at the data gate. In a
    demo run, a demo identity approves on behalf of the owners."""

    @model_validator(mode="after")
    def _all_of_them(self) -> Self:
        if self.owners and self.count != 1:
            raise ValueError(f"role {self.role}: with `owners` the sources say how many; leave `count` out")
        return self


class WaiverRule(FrozenModel):
    """Role that may waive failed checks, with a reason and an expiry."""

    role: Name
    """Role that is allowed to waive failed checks."""
    max_days: Days
    """Maximum number of days between the signing of a waiver and its expiry."""
    checks: Annotated[list[NonEmptyText], Field(min_length=1)] | None = None
    """Names of the checks that may be waived. Null means all checks of the gate, including the checks of every tier."""

    def allows_waiver_of(self, check: str) -> bool:
        return self.checks is None or check in self.checks


class EscalationRule(FrozenModel):
    """Role to notify if a gate has been waiting for too long."""

    role: Name
    """Role to notify."""
    after_days: Days
    """Number of days between the opening of the gate and the notice."""


class RequiredDetector(FrozenModel):
    """Detector that the owners of sources must add to Hallmark's recognisers (`detectors` in sources.yaml)."""

    categories: Annotated[list[Category], Field(min_length=1)]
    """Categories that the detectors of a source must find, such as `name` and `address`. One detector need not find all
    of them."""
    languages: list[LanguageCode] = []
    """Languages of the records that the detectors must read, such as `[de]`; empty for all. A record whose language is
    not known counts as one in each of them."""


class GateRules(FrozenModel):
    """Rules of one gate."""

    checks: list[Check] = []
    """Checks of the gate, in addition to the checks of every tier."""
    success_metrics: bool = False
    """Whether the gate also checks the success metrics on the use-case card that are judged at evaluation."""
    decisions: list[RequiredRole] = []
    """Roles that must approve; empty if only the checks decide."""
    waive: WaiverRule | None = None
    """Rule for waivers; null if nobody may waive a failed check."""
    deadline_days: Days = 14
    """Number of days for which the gate accepts decisions, counted from its opening."""
    remind_days: list[Days] = []
    """Numbers of days after the opening of the gate at which people who have not decided yet are reminded."""
    escalate: EscalationRule | None = None
    """Rule for escalation; null if nobody else is notified."""
    signature: KeyStrength = "installed"
    """Kind of keys with which decisions at this gate must be signed."""
    detectors: list[RequiredDetector] = []
    """Detectors that owners must add to Hallmark's recognisers. Only at the data gate, which then also checks that
    every record is read by them."""

    @model_serializer(mode="wrap")
    def _leave_out_detectors(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `detectors` out if there are none, so that a policy has the digest that earlier versions gave it."""
        document: dict[str, Any] = serialise(self)
        return {name: value for name, value in document.items() if name != "detectors" or value}

    @property
    def own_check_names(self) -> list[str]:
        """Names of the checks that other rules of the gate bring with them."""
        return [DETECTOR_CHECK] if self.detectors else []

    @property
    def requires_owners(self) -> bool:
        return any(role.owners for role in self.decisions)

    def can_waive(self, check: str) -> bool:
        return self.waive is not None and self.waive.allows_waiver_of(check)

    @model_validator(mode="after")
    def _unique(self) -> Self:
        for what, names in (
            ("check", [*CHECK_NAMES_OF_EVERY_TIER.values(), *self.own_check_names, *(c.name for c in self.checks)]),
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
        known = {*(check.name for check in self.checks), *self.own_check_names, *CHECK_NAMES_OF_EVERY_TIER.values()}
        unknown = sorted(set(named) - known)
        if unknown:
            raise ValueError(f"waive: no check of this gate is named {', '.join(unknown)}")
        return self
