"""Content of a release's folder, parsed for display.

Nothing is verified here. Verification is done by `tasks.registry.verify.verification`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.documents import config
from tasks.core.documents.document import document_error_message
from tasks.core.errors import InputError, Refused
from tasks.core.facts import Facts
from tasks.core.files import read_json
from tasks.core.payload import manifest
from tasks.core.payload.manifest import Manifest
from tasks.gates.evidence import Evidence
from tasks.registry.release import bundle
from tasks.registry.release.promotions import PROMOTION, Promotion
from tasks.sources.dataset import Dataset, SettingValue
from tasks.trust import dsse
from tasks.trust.gate_statement import GateName

IDENTIFYING_KEYS = ("id", "name", "role", "fact")
"""Keys whose value can identify an item of a list, in order of preference."""
QUALITY_METRIC_PREFIXES = ("evaluate.", "measured.predict.")
"""Prefixes of the names of quality metrics."""
BASELINE_METRIC_PREFIXES = ("measured.predict.base.", "measured.predict.champion.")
"""Prefixes of the names of metrics of the base model and the champion, which are not the candidate's own."""


@dataclass(frozen=True)
class ReleaseContents:
    folder: Path
    manifest: Manifest
    promotion: Promotion
    """First promotion statement of the release."""
    dataset: Dataset
    params: dict[str, SettingValue]
    """Parameters of params.yaml, by dotted key."""
    policy: dict[str, SettingValue]
    people: dict[str, SettingValue]
    """Roles and keys of the requester and of the people who decided at a gate, by dotted key."""
    evidence: dict[GateName, Evidence]

    @property
    def label(self) -> str:
        return self.promotion.label

    @property
    def quality_metrics(self) -> Facts:
        """Return the candidate's quality metrics, read from the evidence of the evaluation gate."""
        every = self.evidence["evaluation"].facts
        return {
            name: every[name]
            for name in every
            if name.startswith(QUALITY_METRIC_PREFIXES) and not name.startswith(BASELINE_METRIC_PREFIXES)
        }


def read_release(folder: Path) -> ReleaseContents:
    """Parse the files in a release's folder.

    Raises:
        InputError: The folder is not a release, or a file in it has an invalid format.
    """
    attestations = folder / bundle.ATTESTATIONS
    payload = folder / bundle.PAYLOAD
    try:
        promotion = PROMOTION.unverified_document(dsse.read_envelope(folder / bundle.PROMOTION_STATEMENT))
        return ReleaseContents(
            folder=folder,
            manifest=manifest.read_manifest(payload),
            promotion=promotion,
            dataset=Dataset.from_bytes((payload / "dataset" / "manifest.json").read_bytes()),
            params=dict(flatten_settings(config.read_plain_yaml(payload / "params.yaml"))),
            policy=dict(flatten_settings(read_json(attestations / "policy.json"))),
            people=dict(flatten_settings(read_json(attestations / "people.json"))),
            evidence={gate: _read_evidence(attestations, gate) for gate in promotion.gates},
        )
    except (OSError, ValueError, Refused, RecursionError) as error:
        raise InputError(f"{folder} is not the folder of a release: {document_error_message(error)}") from None


def _read_evidence(attestations: Path, gate: GateName) -> Evidence:
    return Evidence.from_bytes((attestations / "evidence" / f"{gate}.json").read_bytes())


def flatten_settings(value: Any, prefix: str = "") -> Iterator[tuple[str, SettingValue]]:
    """Yield nested settings as pairs of a dotted key and a value.

    In a list of mappings, each item is identified by its id or name rather than by its position, so that inserting an
    item does not change the keys of the others. A list of plain values becomes one value.
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from flatten_settings(item, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
        for number, item in enumerate(value):
            yield from flatten_settings(item, f"{prefix}[{_item_name(item, number)}]")
    elif isinstance(value, list):
        yield prefix, ", ".join(map(str, value))
    else:
        yield prefix, value


def _item_name(item: Any, number: int) -> str:
    names = [str(item[key]) for key in IDENTIFYING_KEYS if key in item] if isinstance(item, Mapping) else []
    return names[0] if names else str(number)
