"""Risk tiers and their gates: policy.yaml."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from tasks.core.documents import config
from tasks.core.documents.config import FrozenModel
from tasks.core.documents.document import Document
from tasks.core.errors import InputError, Refused
from tasks.core.layout import EXPERIMENT_TIER
from tasks.core.params.base_model import BaseModelParams
from tasks.core.params.values import Name, NonEmptyText, Sha256
from tasks.policy import teams as team_rules
from tasks.policy.gate_rules import (
    LOCAL_ENVIRONMENT,
    Check,
    EscalationRule,
    GateRules,
    RequiredRole,
    WaiverRule,
)
from tasks.policy.teams import Team
from tasks.policy.tier import Tier
from tasks.trust.gate_statement import GateName

__all__ = ["LOCAL_ENVIRONMENT", "Check", "EscalationRule", "GateRules", "Policy", "RequiredRole", "Tier", "WaiverRule"]

Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class SignOffRoles(FrozenModel):
    """Roles that sign off changes to policy.yaml and people.yaml, and versions of the code.

    Different people must sign for each role. Signatures are judged under the policy and people that were in force
    before the change.
    """

    policy: list[RequiredRole] = []
    """Roles that sign off changes to policy.yaml."""
    people: list[RequiredRole] = []
    """Roles that sign off changes to people.yaml."""
    code: list[RequiredRole] = []
    """Roles that sign off code versions for runs with gates. Environment `local` accepts any version."""

    def roles_by_subject(self) -> tuple[tuple[str, list[RequiredRole]], ...]:
        return ("policy", self.policy), ("people", self.people), ("code", self.code)

    @model_validator(mode="after")
    def _not_owners(self) -> Self:
        if any(role.owners for _, roles in self.roles_by_subject() for role in roles):
            raise ValueError("owners of sources decide at the data gate, not on changes; leave `owners` out")
        return self


class BaseModels(FrozenModel):
    """Restrictions on base models."""

    licences: list[NonEmptyText] | None = None
    """Allowed licences, each written as in `base_model.licence`; null for any licence. A run with another licence is
    refused."""
    regions: list[NonEmptyText] | None = None
    """Regions in which a provider is allowed to process requests of `hallmark compare`; null for any region. The models
    of a run are always executed on your own machines."""

    folders: list[NonEmptyText] = []
    """Absolute paths of folders that can contain base models, on the machines that run stages. Folders in the checkout
    need no entry, unless they are hidden."""

    def require_allowed(self, base: BaseModelParams, checkout: Path) -> None:
        self._require_licence(base.licence)
        if base.folder:
            self._require_folder(base.folder, checkout.resolve())

    def _require_folder(self, folder: str, checkout: Path) -> None:
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
    """Contents of policy.yaml."""

    environment: Name
    """Environment in which promotions are valid. Only `local` allows --demo-approvals, --governance and keys created by
    `hallmark init`."""
    changes: SignOffRoles = SignOffRoles()
    """Roles that sign off changes. If empty, which only environment `local` allows, the root key adopts changes."""
    location_variables: list[Variable] = []
    """Environment variables that a `location` in sources.yaml may use. Without this list, the author of sources.yaml
    could have the value of any variable, for example a password, sent to their own server."""
    base_models: BaseModels = BaseModels()
    """Restrictions on the licences, regions and folders of base models."""
    judges: list[Sha256] = []
    """Digests of the Hallmark installs that may judge gates outside environment `local`, as printed by `hallmark
    doctor`; empty for any install from a wheel."""
    tiers: Annotated[dict[Name, Tier], Field(min_length=1)]
    """Risk tiers by name. `use_case.risk_tier` selects one."""
    teams: dict[Name, Team] = {}
    """Teams by name. If there are any, runs are requested only for use cases that belong to a team, and each person
    sees the runs of their own teams. Empty if everybody sees all runs and may request what the tiers allow."""
    overseers: list[Name] = []
    """Roles whose holders see the runs of every team, as auditors do."""

    def _model_value(self) -> dict[str, Any]:
        """Return the value without teams if there are none.

        It then equals what versions without teams wrote. With another digest, a change of people.yaml alone would also
        change the policy.
        """
        value = super()._model_value()
        return {name: item for name, item in value.items() if item or name not in ("teams", "overseers")}

    @model_validator(mode="after")
    def _changes_are_signed_off(self) -> Self:
        if self.environment != LOCAL_ENVIRONMENT and not (self.changes.policy and self.changes.people):
            raise ValueError(
                f"changes: name who signs off policy and people; only environment {LOCAL_ENVIRONMENT} does without"
            )
        return self

    @model_validator(mode="after")
    def _experiment_alone_is_free(self) -> Self:
        for name, tier in self.tiers.items():
            if (name == EXPERIMENT_TIER) == bool(tier.gates):
                raise ValueError(f"tier {name}: `{EXPERIMENT_TIER}` has no gates, and every other tier has all of them")
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

    @model_validator(mode="after")
    def _teams_fit(self) -> Self:
        if problem := team_rules.consistency_problem(self.teams, self.tiers):
            raise ValueError(problem)
        if self.overseers and not self.teams:
            raise ValueError("overseers: these roles see the runs of every team, and there is no team; name teams too")
        return self

    def tier_covers(self, tier: str, other: str) -> bool:
        """Return whether an approval in risk tier `tier` is also valid in risk tier `other`.

        It is if both have gates and the level of `other` is not higher than that of `tier`.
        """
        governed = {name: each.level or 0 for name, each in self.tiers.items() if each.gates}
        return tier in governed and other in governed and governed[other] <= governed[tier]

    def located_checks(self) -> Iterator[tuple[str, GateName, int, Check]]:
        """Yield risk tier, gate, index and check for every check."""
        for tier_name, tier in self.tiers.items():
            for gate_name, gate in tier.gates.items():
                yield from ((tier_name, gate_name, index, check) for index, check in enumerate(gate.checks))

    def tier(self, name: str) -> Tier:
        if name not in self.tiers:
            raise InputError(f"risk tier {name!r} is not in policy.yaml; it has {', '.join(sorted(self.tiers))}")
        return self.tiers[name]

    def gate(self, tier: str, gate: GateName) -> GateRules:
        gates = self.tier(tier).gates
        if gate not in gates:
            raise InputError(f"risk tier {tier} has no gates, so nothing can be asked or decided at gate {gate}")
        return gates[gate]

    def digest(self) -> str:
        """Return the SHA-256 of the adopted policy, to which decisions and gate statements refer."""
        return self.sha256


def load_policy(governance: Path) -> Policy:
    """Read policy.yaml from a governance folder, for adoption.

    Raises:
        InputError: The file is not valid, a tier lacks a gate of this version of Hallmark or has another one, or no
            role signs off the code.
    """
    path = governance / "policy.yaml"
    policy = config.load_settings(path, Policy, merge_keys=False)
    if policy.environment != LOCAL_ENVIRONMENT and not policy.changes.code:
        line = config.find_line_number(config.read_yaml(path), ["changes"])
        raise InputError(
            f"{path}:{line}: changes.code: name the roles that sign off versions of the code; "
            f"only environment {LOCAL_ENVIRONMENT} "
            "does without"
        )
    if wrong := {name: why for name, tier in policy.tiers.items() if (why := tier.unsupported_gates())}:
        document = config.read_yaml(path)
        raise InputError("\n".join(
            f"{path}:{config.find_line_number(document, ['tiers', name])}: tiers.{name}: {why}"
            for name, why in wrong.items()
        ))  # fmt: skip
    return policy
