"""Check that the gates of a policy name figures that exist at them.

An optional check of a misspelt figure would always pass, and any other check of it never.
"""

from collections.abc import Iterator, Mapping

from tasks.core.graph import EVIDENCE_STAGES, STAGES
from tasks.policy.policy import Policy

OTHER_FIGURES: Mapping[str, tuple[str, ...]] = {"data": ("use_case", "planted"), "evaluation": ("use_case",)}
"""Beginnings of names of figures that no stage states, by gate."""


def missing_fact_problems(policy: Policy) -> Iterator[tuple[list[str | int], str]]:
    """Yield the places in policy.yaml that name a figure which no run has at that gate, each with the reason."""
    for tier_name, tier in policy.tiers.items():
        for gate_name, gate in tier.gates.items():
            beginnings = fact_prefixes(gate_name)
            for number, check in enumerate(gate.checks):
                if not any(check.fact.startswith(f"{beginning}.") for beginning in beginnings):
                    yield (
                        ["tiers", tier_name, "gates", gate_name, "checks", number],
                        f"{check.fact}: a figure at gate {gate_name} begins with {', '.join(beginnings)}",
                    )


def fact_prefixes(gate: str) -> list[str]:
    """Return the beginnings of the names of all figures in the evidence of a gate."""
    named = [
        (stage, folder.replace("/", ".")) for stage in EVIDENCE_STAGES[gate] for folder in STAGES[stage].output_folders
    ]
    measured = [f"measured.{name}" for stage, folder in named for name in (stage, folder)]
    return list(dict.fromkeys([*(folder for _, folder in named), *measured, *OTHER_FIGURES.get(gate, ())]))
