"""Check that the gates of a policy name metrics that exist at them.

An optional check of a misspelt metric would always pass, and any other check of it never.
"""

from collections.abc import Mapping
from pathlib import Path

from tasks.core.documents import config
from tasks.core.errors import InputError
from tasks.core.fact_names import artefact_prefix, measurement_prefix
from tasks.core.graph import EVIDENCE_STAGES, STAGES
from tasks.policy.policy import Policy

OTHER_PREFIXES: Mapping[str, tuple[str, ...]] = {
    "data": ("use_case", "planted", "shift", "coverage", "templates", "detectors"),
    "evaluation": ("use_case",),
}
"""Beginnings of the names of metrics that no stage computes, by gate."""


def require_known_facts(policy: Policy, path: Path, in_force: Policy | None = None) -> None:
    """Verify that each check of a policy names a metric that runs can have at its gate.

    The policy in force may already have a wrong name. Changes of other files do not have to wait until it is corrected.

    Args:
        policy: Policy to check.
        path: Path of policy.yaml, for the messages.
        in_force: Policy in force, which always passes; None if there is none.

    Raises:
        InputError: A name is wrong. The message has all of them, each with its line.
    """
    unknown: list[tuple[list[str | int], str, str]] = [
        (["tiers", tier, "gates", gate, "checks", index], gate, check.fact)
        for tier, gate, index, check in policy.located_checks()
        if not any(check.fact.startswith(f"{prefix}.") for prefix in fact_prefixes(gate))
    ]
    if unknown and policy != in_force:
        document = config.read_yaml(path)
        raise InputError(
            "\n".join(
                f"{path}:{config.find_line_number(document, where)}: {'.'.join(map(str, where))}: no run has a metric "
                f"{fact!r} at gate {gate}; expected a name that begins with {', '.join(fact_prefixes(gate))}. Correct "
                "it, or remove the check"
                for where, gate, fact in unknown
            )
        )


def fact_prefixes(gate: str) -> list[str]:
    """Return the beginnings of the names of all metrics in the evidence of a gate."""
    stages = [STAGES[stage] for stage in EVIDENCE_STAGES[gate]]
    computed = [artefact_prefix(folder) for stage in stages for folder in stage.output_folders]
    measured = [
        measurement_prefix(stage.name, folder)
        for stage in stages
        if stage.has_measurements
        for folder in stage.output_folders
    ]
    return [*computed, *measured, *OTHER_PREFIXES.get(gate, ())]
