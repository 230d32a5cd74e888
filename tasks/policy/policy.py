"""Gates by risk tier: policy.yaml."""

from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from tasks.core import config
from tasks.core.config import Frozen
from tasks.core.document import Document
from tasks.core.errors import InputError, Refused
from tasks.core.graph import GATES
from tasks.core.layout import EXPERIMENT
from tasks.core.params.base_model import BaseModelParams
from tasks.core.params.values import Name, Sha256, Text
from tasks.policy.gate_rules import AUDITOR, LOCAL, Check, Escalate, Gate, Hours, Role, Waive
from tasks.trust.gate_statement import GateName

__all__ = ["LOCAL", "Check", "Escalate", "Gate", "Policy", "Role", "Tier", "Waive"]

SCHEDULER: Final = "scheduler"
"""Id of the machine that asks for scheduled runs."""


Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Separation(Frozen):
    """Who must be different people."""

    two_roles: bool = True
    """Whether one person's approvals and waivers may count in more than one role in a run. False: in the role of
    their first at the earliest gate alone."""
    sole_owner: Name | None = None
    """Where one person owns all sources of a run, somebody else in this role must approve its data gate too."""


class BreakGlass(Frozen):
    """Who may go back to an earlier champion at once, and who confirms it afterwards."""

    role: Name
    """Role that may order it."""
    confirm_role: Name
    """Of the second person."""
    confirm_hours: Hours
    """Hours in which they must have confirmed it."""


NO_SCHEDULER = (
    "policy does not let the scheduler ask for runs of this risk tier; a person asks, with `hallmark run --as ID`, or "
    "policy says `scheduler: true` for the tier"
)


class Tier(Frozen):
    """What runs of a risk tier have to pass."""

    gates: dict[GateName, Gate]
    """Empty for tier `experiment`: nothing is asked, nothing can be promoted."""
    level: Annotated[int, Field(ge=1)] | None = None
    """How high the risk is, among the tiers with gates: what was approved at one level counts at lower ones, and a
    champion is replaced from its own level or a higher one. Needed where there are several such tiers."""
    requesters: list[Name] | None = None
    """Roles that may ask for a run; null: everybody in people.yaml who is not an auditor alone, empty: nobody but the
    scheduler."""
    scheduler: bool = False
    """Whether the scheduler may ask for runs under its own identity."""
    separation: Separation = Separation()
    """Who must be different people."""
    machines: Annotated[int, Field(ge=1, le=9)] = 1
    """How many machines, each with a key of its own among those of the worker, have to have made the same of a run
    before it is released (`hallmark reproduce RUN`)."""
    break_glass: BreakGlass | None = None
    """Null: every rollback is ordered as the release gate's roles allow."""

    def may_not_request(self, who: str, roles: Collection[str]) -> str:
        """Why somebody may not ask for a run of this tier, in words; empty where they may.

        The scheduler is no person and holds no roles.
        """
        if who == SCHEDULER:
            return "" if self.scheduler else NO_SCHEDULER
        if set(roles) == {AUDITOR}:
            return f"{who} is {AUDITOR}, who reads everything and asks for nothing"
        if self.requesters is None or set(roles) & set(self.requesters):
            return ""
        asked = " or ".join(self.requesters) or "nobody but the scheduler"
        return f"to ask for a run of this risk tier takes {asked}; {who} holds {', '.join(roles) or 'no role'}"

    def other_gates(self) -> str:
        """Why this version makes no run of this tier: its gates are others. Empty where they are not.

        What was adopted by a version with other gates is read and verified all the same.
        """
        if not self.gates or set(self.gates) == set(GATES):
            return ""
        return f"a tier has either no gates or all of {', '.join(GATES)}; got {', '.join(self.gates)}"

    @model_validator(mode="after")
    def _owners_at_the_data_gate(self) -> Self:
        if "data" in self.gates and self.separation.sole_owner in _of_owners(self.gates["data"]):
            raise ValueError(
                f"separation: sole_owner {self.separation.sole_owner} is the owners' own role; name another"
            )
        elsewhere = [name for name, gate in self.gates.items() if name != "data" and gate.asks_owners]
        if elsewhere:
            raise ValueError(f"owners of sources decide at the data gate, not at {', '.join(elsewhere)}")
        return self


def _of_owners(gate: Gate) -> list[str]:
    return [role.role for role in gate.decisions if role.owners]


class Changes(Frozen):
    """Who signs off changes to policy.yaml and people.yaml, and versions of the code: each role by other people. Judged
    under the policy and the people in force before the change."""

    policy: list[Role] = []
    """Roles that sign off changes to policy.yaml."""
    people: list[Role] = []
    """Roles that sign off changes to people.yaml."""
    code: list[Role] = []
    """Roles that sign off a version of the code, of which governed runs are made. Environment `local` takes any
    version."""

    def each(self) -> tuple[tuple[str, list[Role]], ...]:
        """The roles by what they sign off."""
        return ("policy", self.policy), ("people", self.people), ("code", self.code)

    @model_validator(mode="after")
    def _not_owners(self) -> Self:
        if any(role.owners for _, roles in self.each() for role in roles):
            raise ValueError("owners of sources decide at the data gate, not on changes; leave `owners` out")
        return self


class BaseModels(Frozen):
    """Which base models may be used."""

    licences: list[Text] | None = None
    """Licences, each written as `base_model.licence` has it; null: any. A run with another is refused."""
    regions: list[Text] | None = None
    """Where a provider may answer, as `hallmark compare` is told of one; null: anywhere. Runs answer on machines of
    your own."""

    folders: list[Text] = []
    """Absolute paths of folders below which base models lie on the machines that run stages. One in the checkout needs
    no entry, unless in a hidden folder."""

    def require(self, base: BaseModelParams, checkout: Path) -> None:
        """Raises Refused for a licence that is not among them, and for a folder that lies elsewhere."""
        self._require_licence(base.licence)
        if base.folder:
            self._require_folder(base.folder, checkout.resolve())

    def _require_folder(self, folder: str, checkout: Path) -> None:
        """Links are followed: what they lead to counts."""
        where = (checkout / folder).resolve()
        own = where.is_relative_to(checkout) and where != checkout
        hidden = own and any(part.startswith(".") for part in where.relative_to(checkout).parts)
        if not (own and not hidden) and not any(where.is_relative_to(Path(place).resolve()) for place in self.folders):
            raise Refused(
                f"base_model.folder: {folder} lies neither in a folder of the checkout nor in one that policy lists "
                f"under base_models.folders ({', '.join(self.folders) or 'none'}); put the model into one of these"
            )

    def _require_licence(self, licence: str) -> None:
        if self.licences is not None and licence not in self.licences:
            raise Refused(
                f"base_model.licence: policy lists {', '.join(self.licences) or 'none'} under base_models.licences, "
                f"got {licence}; choose another base model (`hallmark compare` shows how good one is)"
            )


class Policy(Document):
    """policy.yaml."""

    environment: Name
    """Where promotions count. `local` alone allows --demo-approvals, --governance and keys made by `hallmark init`."""
    changes: Changes = Changes()
    """Names nobody: the root key alone adopts changes, in environment `local`."""
    location_variables: list[Variable] = []
    """Environment variables that a `location` in sources.yaml may name. Whoever writes that file would otherwise have
    the value of any, a password say, sent to a store of their own."""
    base_models: BaseModels = BaseModels()
    """Licences, regions and folders of base models."""
    judges: list[Sha256] = []
    """Digests of the Hallmarks that may judge outside environment `local`, as `hallmark doctor` prints them; empty: any
    that is installed from a wheel."""
    tiers: Annotated[dict[Name, Tier], Field(min_length=1)]
    """Risk tiers by name; `use_case.risk_tier` names one."""

    @model_validator(mode="after")
    def _changes_are_signed_off(self) -> Self:
        if self.environment != LOCAL and not (self.changes.policy and self.changes.people):
            raise ValueError(f"changes: name who signs off policy and people; only environment {LOCAL} does without")
        return self

    @model_validator(mode="after")
    def _experiment_alone_is_free(self) -> Self:
        for name, tier in self.tiers.items():
            if (name == EXPERIMENT) == bool(tier.gates):
                raise ValueError(f"tier {name}: `{EXPERIMENT}` has no gates, and every other tier has all of them")
        return self

    @model_validator(mode="after")
    def _levels_say_which_tier_is_higher(self) -> Self:
        governed = {name: tier.level for name, tier in self.tiers.items() if tier.gates}
        levels = [level for level in governed.values() if level is not None]
        if len(governed) > 1 and len(set(levels)) != len(governed):
            raise ValueError(
                f"tiers {', '.join(governed)}: each needs a `level` of its own, so that it is known which is higher"
            )
        return self

    def reaches(self, tier: str, other: str) -> bool:
        """Whether what counts in `tier` counts in `other`: it is the same, or lower. False where either has no gates or
        is not in policy.yaml, so that nobody can say."""
        governed = {name: each.level or 0 for name, each in self.tiers.items() if each.gates}
        return tier in governed and other in governed and governed[other] <= governed[tier]

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
        """SHA-256 of the policy as it was adopted, which decisions and gate statements bind to."""
        return self.sha256


def load(governance: Path) -> Policy:
    """Read policy.yaml of a governance folder, as it may be adopted.

    Raises InputError for a tier with other gates than the runs of this version have, and where nobody signs code off.
    """
    path = governance / "policy.yaml"
    policy = config.load(path, Policy)
    config.require_written_out(path)
    if policy.environment != LOCAL and not policy.changes.code:
        line = config.line_of(config.read_yaml(path), ["changes"])
        raise InputError(
            f"{path}:{line}: changes.code: name the roles that sign off versions of the code; only environment "
            f"{LOCAL} does without"
        )
    if wrong := {name: why for name, tier in policy.tiers.items() if (why := tier.other_gates())}:
        document = config.read_yaml(path)
        raise InputError("\n".join(
            f"{path}:{config.line_of(document, ['tiers', name])}: tiers.{name}: {why}" for name, why in wrong.items()
        ))  # fmt: skip
    return policy
