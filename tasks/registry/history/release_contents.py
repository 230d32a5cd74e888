"""Content of a release's folder, parsed for display.

The content is not verified here, but by `tasks.registry.verify.verification`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.documents import config
from tasks.core.documents.document import error_text
from tasks.core.errors import InputError, Refused
from tasks.core.facts import Facts
from tasks.core.files import read_json
from tasks.core.payload import manifest
from tasks.core.payload.manifest import Manifest
from tasks.gates.evidence import Evidence
from tasks.registry.release import bundle
from tasks.registry.release.promotions import PROMOTION, Promotion
from tasks.sources.dataset import Dataset, Value
from tasks.trust import dsse
from tasks.trust.gate_statement import GateName

IDENTIFYING_KEYS = ("id", "name", "role", "fact")
"""Keys that can identify an item of a list, in order of preference."""
QUALITY_PREFIXES = ("evaluate.", "measured.predict.")
"""Name prefixes of the facts that describe the quality of a model."""
BASELINE_PREFIXES = ("measured.predict.base.", "measured.predict.champion.")
"""Name prefixes of the facts about the base model and the champion, with which the candidate was compared."""


@dataclass(frozen=True)
class ReleaseContents:
    folder: Path
    manifest: Manifest
    promotion: Promotion
    """First promotion statement of the release."""
    dataset: Dataset
    params: dict[str, Value]
    """Parameters of params.yaml, by dotted key."""
    policy: dict[str, Value]
    people: dict[str, Value]
    """Roles and keys of the requester and of the people who decided, by dotted key."""
    evidence: dict[GateName, Evidence]

    @property
    def label(self) -> str:
        return self.promotion.label

    @property
    def figures(self) -> Facts:
        """Return the candidate's quality metrics from the evidence of the evaluation gate."""
        every = self.evidence["evaluation"].facts
        return {
            name: every[name]
            for name in every
            if name.startswith(QUALITY_PREFIXES) and not name.startswith(BASELINE_PREFIXES)
        }


def read(folder: Path) -> ReleaseContents:
    """Parse the files in a release's folder.

    Raises:
        InputError: The folder is not a release, or a file in it has an invalid format.
    """
    attestations = folder / bundle.ATTESTATIONS
    payload = folder / bundle.PAYLOAD
    try:
        promotion = PROMOTION.predicate(dsse.read(folder / bundle.PROMOTION))
        return ReleaseContents(
            folder=folder,
            manifest=manifest.read(payload),
            promotion=promotion,
            dataset=Dataset.from_bytes((payload / "dataset" / "manifest.json").read_bytes()),
            params=dict(flatten(config.read_plain(payload / "params.yaml"))),
            policy=dict(flatten(read_json(attestations / "policy.json"))),
            people=dict(flatten(read_json(attestations / "people.json"))),
            evidence={gate: _evidence(attestations, gate) for gate in promotion.gates},
        )
    except (OSError, ValueError, Refused, RecursionError) as error:
        raise InputError(f"{folder} is not the folder of a release: {error_text(error)}") from None


def _evidence(attestations: Path, gate: GateName) -> Evidence:
    return Evidence.from_bytes((attestations / "evidence" / f"{gate}.json").read_bytes())


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Value]]:
    """Yield nested settings as pairs of a dotted key and a value.

    A list item with a name is identified by that name, so that inserting an item does not change other keys. A list of
    plain values becomes one value.
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from flatten(item, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        for number, item in enumerate(value):
            yield from flatten(item, f"{prefix}[{_name(item, number)}]")
    elif isinstance(value, list):
        yield prefix, ", ".join(map(str, value))
    else:
        yield prefix, value


def _name(item: Any, number: int) -> str:
    names = [str(item[key]) for key in IDENTIFYING_KEYS if key in item] if isinstance(item, Mapping) else []
    return names[0] if names else str(number)
