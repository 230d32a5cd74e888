"""Gates by risk tier: policy.yaml."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from tasks import config
from tasks.config import Frozen
from tasks.errors import InputError
from tasks.files import canonical_json, sha256_bytes
from tasks.params import Name, Text

GateName = Literal["data", "evaluation", "release"]
GATES: tuple[GateName, ...] = ("data", "evaluation", "release")
SUBJECTS: dict[GateName, str] = {"data": "split", "evaluation": "evaluate", "release": "package"}
"""The stage whose output each gate lets pass."""
LOOKS_AT: dict[GateName, tuple[str, ...]] = {
    "data": ("ingest", "clean", "deduplicate", "validate", "split"),
    "evaluation": ("base_model", "train", "predict", "evaluate"),
    "release": ("package",),
}
"""The stages whose facts and artefacts a gate's evidence holds."""
EXPERIMENT = "experiment"
"""The risk tier that asks nobody, and whose models can never be promoted."""


class Check(Frozen):
    """A figure that must be reached for the gate to pass by itself."""

    name: Text
    fact: Text
    """`STAGE.NAME`, or `measured.STAGE.NAME` (tasks/facts.py)."""
    bound: Literal["value", "low", "high"] = "value"
    at_least: float | None = None
    at_most: float | None = None
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
    count: Annotated[int, Field(ge=1)] = 1
    owners: bool = False
    """At the data gate: every owner of a source must approve, in this role, and nobody else may. On a demo run a demo
    identity stands in for them."""

    @model_validator(mode="after")
    def _all_of_them(self) -> Self:
        if self.owners and self.count != 1:
            raise ValueError(f"role {self.role}: with `owners` the sources say how many; leave `count` out")
        return self


class Gate(Frozen):
    checks: list[Check] = []
    success_metrics: bool = False
    """Also check the use case's success metrics that are judged at evaluation."""
    decisions: list[Role] = []
    """Empty: the checks alone decide."""
    waive: Name | None = None
    """Role that may waive a failed check, with reason and expiry; null: nobody may."""
    deadline_days: Annotated[float, Field(gt=0)] = 14

    @property
    def asks_owners(self) -> bool:
        return any(role.owners for role in self.decisions)

    @model_validator(mode="after")
    def _unique(self) -> Self:
        for what, names in (("check", [c.name for c in self.checks]), ("role", [r.role for r in self.decisions])):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"each {what} of a gate stands here once; twice: {', '.join(twice)}")
        return self


class Tier(Frozen):
    gates: dict[GateName, Gate]
    """Empty for tier `experiment`: nothing is asked, nothing can be promoted."""

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        if self.gates and set(self.gates) != set(GATES):
            raise ValueError(f"a tier has either no gates or all of {', '.join(GATES)}; got {', '.join(self.gates)}")
        elsewhere = [name for name, gate in self.gates.items() if name != "data" and gate.asks_owners]
        if elsewhere:
            raise ValueError(f"owners of sources decide at the data gate, not at {', '.join(elsewhere)}")
        return self


class Policy(Frozen):
    """policy.yaml."""

    environment: Name
    """Where promotions count. `local` alone allows --demo-approvals, --governance and keys made by `hallmark init`."""
    tiers: Annotated[dict[Name, Tier], Field(min_length=1)]

    @model_validator(mode="after")
    def _experiment_alone_is_free(self) -> Self:
        for name, tier in self.tiers.items():
            if (name == EXPERIMENT) == bool(tier.gates):
                raise ValueError(f"tier {name}: `{EXPERIMENT}` has no gates, and every other tier has all of them")
        return self

    def tier(self, name: str) -> Tier:
        if name not in self.tiers:
            raise InputError(f"risk tier {name!r} is not in policy.yaml; it has {', '.join(sorted(self.tiers))}")
        return self.tiers[name]

    def gate(self, tier: str, gate: GateName) -> Gate:
        """Raises InputError for a tier that is not in policy.yaml or asks nothing."""
        gates = self.tier(tier).gates
        if gate not in gates:
            raise InputError(f"risk tier {tier} has no gates, so nothing can be asked or decided at gate {gate}")
        return gates[gate]

    def digest(self) -> str:
        """SHA-256 of the policy's canonical form, which decisions and gate statements bind to."""
        return sha256_bytes(canonical_json(self.model_dump(mode="json")))


def load(governance: Path) -> Policy:
    """Read policy.yaml of a governance folder."""
    return config.load(governance / "policy.yaml", Policy)
