"""Bill of materials of a model, as a CycloneDX 1.6 ML-BOM (https://cyclonedx.org/capabilities/mlbom/).

The CycloneDX library does not support `modelCard` yet, so this part is added to the library's JSON. Tests validate the
result against the schema. Equal inputs give equal bytes: the document has no timestamp, and its serial number is
derived from its content.
"""

import json
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from tasks.core import files
from tasks.core.facts import Fact
from tasks.core.json_text import canonical_json, parse
from tasks.stages.package.model_card import CardData

MODEL_REF, BASE_MODEL_REF, DATASET_REF = "model", "base-model", "dataset"
"""Identifiers (`bom-ref`) of components in the bill of materials. A source has the identifier `source:ID`."""


def render_ml_bom(card_data: CardData, model_files: Mapping[str, str]) -> bytes:
    """Render the bill of materials as JSON.

    Args:
        card_data: Data of the model card.
        model_files: SHA-256 of each file in payload/model, by path.
    """
    from cyclonedx.output.json import JsonV1Dot6

    document = parse(JsonV1Dot6(_bom(card_data, model_files)).output_as_string())
    document["metadata"]["component"]["modelCard"] = _model_card(card_data)
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _bom(card_data: CardData, model_files: Mapping[str, str]) -> Any:
    from cyclonedx.model.bom import Bom, BomMetaData

    model, base = _model_component(card_data, model_files), _base_model_component(card_data)
    dataset, sources = _dataset_component(card_data), [_source_component(item) for item in card_data.sources.sources]
    serial = files.sha256_bytes(canonical_json([card_data.manifest.model_dump(mode="json"), dict(model_files)]))
    bom = Bom(
        serial_number=uuid5(NAMESPACE_URL, f"urn:sha256:{serial}"),
        metadata=BomMetaData(component=model),
        components=[base, dataset, *sources],
    )
    bom.metadata.timestamp = None  # type: ignore[assignment]  # so that equal inputs give equal bytes
    bom.register_dependency(model, [base, dataset])
    bom.register_dependency(dataset, sources)
    return bom


def _model_component(card_data: CardData, model_files: Mapping[str, str]) -> Any:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.contact import OrganizationalContact

    manifest, owners = card_data.manifest, card_data.params.use_case.owners.model_dump()
    return Component(
        bom_ref=MODEL_REF,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=manifest.name,
        description=card_data.params.use_case.problem,
        authors=[OrganizationalContact(name=f"{who} ({kind} owner)") for kind, who in owners.items()],
        hashes=[_sha256_hash(files.sha256_bytes(canonical_json(dict(model_files))))],
        properties=[
            Property(name="hallmark:code_sha256", value=manifest.code_sha256),
            Property(name="hallmark:method", value=manifest.method),
            Property(name="hallmark:params_sha256", value=manifest.params_sha256),
            Property(name="hallmark:tree_sha256", value=manifest.tree_sha256),
            *(Property(name=f"hallmark:file:{path}", value=digest) for path, digest in sorted(model_files.items())),
        ],
    )


def _base_model_component(card_data: CardData) -> Any:
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        bom_ref=BASE_MODEL_REF,
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=card_data.manifest.base_model_origin,
        hashes=[_sha256_hash(card_data.manifest.base_model_sha256)],
        licenses=[_parse_licence(card_data.manifest.base_model_licence)],
    )


def _dataset_component(card_data: CardData) -> Any:
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        bom_ref=DATASET_REF,
        type=ComponentType.DATA,
        name=f"{card_data.manifest.name} dataset",
        description=(
            f"{card_data.dataset['rows']['train']:,} rows to train, {card_data.dataset['rows']['test']:,} held out"
        ),
        hashes=[_sha256_hash(card_data.manifest.stages["split"])],
    )


def _source_component(item: Any) -> Any:
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        bom_ref=f"source:{item.source.id}",
        type=ComponentType.DATA,
        name=item.source.id,
        description=item.source.description or None,
        hashes=[_sha256_hash(item.sha256)],
        licenses=[_parse_licence(item.source.licence)],
    )


def _sha256_hash(digest: str) -> Any:
    from cyclonedx.model import HashAlgorithm, HashType

    return HashType(alg=HashAlgorithm.SHA_256, content=digest)


def _parse_licence(text: str) -> Any:
    from cyclonedx.contrib.license.factories import LicenseFactory

    return LicenseFactory().make_from_string(text)


def _model_card(card_data: CardData) -> dict[str, Any]:
    case = card_data.params.use_case
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "text-generation",
            "datasets": [{"ref": DATASET_REF}],
        },
        "quantitativeAnalysis": {
            "performanceMetrics": [
                _performance_metric(name, fact)
                for name, fact in card_data.facts.items()
                if name.startswith("evaluate.")
            ]
        },
        "considerations": {
            "users": case.users,
            "useCases": case.approved_uses,
            "technicalLimitations": case.limitations,
        },
    }


def _performance_metric(name: str, fact: Fact) -> dict[str, Any]:
    metric: dict[str, Any] = {"type": name, "value": f"{fact.value:g}", "slice": "test"}
    if fact.low is not None and fact.high is not None:
        metric["confidenceInterval"] = {"lowerBound": f"{fact.low:g}", "upperBound": f"{fact.high:g}"}
    return metric
