"""What a release says of itself: its folder, read for people. Nothing here is verified; `verification` does that."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core import config
from tasks.core.document import why
from tasks.core.errors import InputError, Refused
from tasks.core.facts import Facts
from tasks.core.payload import manifest
from tasks.core.payload.manifest import Manifest
from tasks.gates.evidence import Evidence
from tasks.registry.release import bundle
from tasks.registry.release.promotions import PROMOTION, Promotion
from tasks.sources.dataset import Dataset, Value
from tasks.trust import dsse
from tasks.trust.gate_statement import GateName

NAMED_BY = ("id", "name", "role", "fact")
"""Keys by which the items of a list are told apart where they have one of them, in this order."""
JUDGED = ("evaluate.", "measured.predict.")
"""Beginnings of the figures that say how good a model is …"""
OTHERS = ("measured.predict.base.", "measured.predict.champion.")
"""… and of those that are about the models it was compared with."""


@dataclass(frozen=True)
class Declared:
    folder: Path
    manifest: Manifest
    promotion: Promotion
    """The statement that first promoted it."""
    dataset: Dataset
    params: dict[str, Value]
    """By dotted key."""
    policy: dict[str, Value]
    people: dict[str, Value]
    """Roles and keys of those who decided."""
    evidence: dict[GateName, Evidence]

    @property
    def label(self) -> str:
        return self.promotion.label

    @property
    def figures(self) -> Facts:
        """The candidate's, as the evaluation gate looked at them."""
        every = self.evidence["evaluation"].facts
        return {name: every[name] for name in every if name.startswith(JUDGED) and not name.startswith(OTHERS)}


def read(folder: Path) -> Declared:
    """Read a release's folder. Raises InputError where it is none, or does not hold what its files' names say."""
    attestations = folder / bundle.ATTESTATIONS
    payload = folder / bundle.PAYLOAD
    try:
        promotion = PROMOTION.said(dsse.read(folder / bundle.PROMOTION))
        return Declared(
            folder=folder,
            manifest=manifest.read(payload),
            promotion=promotion,
            dataset=Dataset.read_bytes((payload / "dataset" / "manifest.json").read_bytes()),
            params=dict(flat(config.read_plain(payload / "params.yaml"))),
            policy=dict(flat(json.loads((attestations / "policy.json").read_bytes()))),
            people=dict(flat(json.loads((attestations / "people.json").read_bytes()))),
            evidence={gate: _evidence(attestations, gate) for gate in promotion.gates},
        )
    except (OSError, ValueError, Refused, RecursionError) as error:
        raise InputError(f"{folder} is not the folder of a release: {why(error)}") from None


def _evidence(attestations: Path, gate: GateName) -> Evidence:
    return Evidence.read_bytes((attestations / "evidence" / f"{gate}.json").read_bytes())


def flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Value]]:
    """Nested settings by dotted key. Items of a list are told apart by their name, so that a new one in front of them
    changes nothing of the others; a list of plain values is one value."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from flat(item, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        for number, item in enumerate(value):
            yield from flat(item, f"{prefix}[{_name(item, number)}]")
    elif isinstance(value, list):
        yield prefix, ", ".join(map(str, value))
    else:
        yield prefix, value


def _name(item: Any, number: int) -> str:
    names = [str(item[key]) for key in NAMED_BY if key in item] if isinstance(item, Mapping) else []
    return names[0] if names else str(number)
