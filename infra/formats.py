"""Types and JSON schemas of all documents that are signed or digested.

`python -m infra.formats` writes docs/formats/NAME-vN.json. The type of a document includes its version. It is the
predicate type of the signed statement, or the field `type` of the document itself.

A new optional field needs no new version, because a document is identified by the digest of its bytes
(tasks/core/documents/document.py). Any other change needs a new version, with a separate line in FORMATS. The line of
the old version must stay, so that readers can still parse documents that were signed earlier.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from tasks.audit import dossier_signature
from tasks.audit.dossier import Dossier
from tasks.code_versions import signed_version
from tasks.consent import signed_withdrawal
from tasks.core.payload.manifest import Manifest
from tasks.declarations import signed_declaration
from tasks.gates import signed_decision, signed_request, signed_review
from tasks.gates.evidence import Evidence
from tasks.incidents import signed_incident
from tasks.incidents.signed_incident import Closing, Escalation, Opening
from tasks.labels.label_round import Handout, LabelRound, LabelSubmission
from tasks.ledger import entry, export, proof
from tasks.ledger.heads import heads
from tasks.policy import adoption
from tasks.policy.signed_document import SignedKind
from tasks.registry.export import statement as export_statement
from tasks.registry.promote import rollback_orders
from tasks.registry.release import bundle, promotions
from tasks.review.answer_order import ReviewPairs
from tasks.scheduling import signed_statements
from tasks.sources.dataset import Dataset
from tasks.stages.evaluate.suites.suite import EvaluationSuites
from tasks.suppression import signed_documents as erasure_documents
from tasks.trust import gate_statement, stage_record
from tasks.trust.stage_record import StageRecord

FORMATS_FOLDER = Path(__file__).parents[1] / "docs" / "formats"


class Format(NamedTuple):
    title: str
    type: str
    model: Any
    signed: bool = False
    """Whether the document is the predicate of a signed statement, with `type` as its predicate type. Other documents
    have a field `type` instead."""

    @property
    def name(self) -> str:
        """File name without its suffix, for example `run-request-v1` for `urn:hallmark:run-request:v1`."""
        return self.type.removeprefix("urn:hallmark:").replace(":", "-")

    def schema(self) -> dict[str, Any]:
        schema = TypeAdapter(self.model).json_schema() | {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": self.type,
            "title": self.title,
        }
        return schema if self.signed else schema | {"required": ["type", *schema["required"]]}


def _ledger_format(title: str, kind: SignedKind[Any]) -> Format:
    return Format(title, kind.uri, kind.model, signed=True)


FORMATS = (
    Format("Adoption of policy and people", adoption.PREDICATE_TYPE, adoption.Adoption, signed=True),
    _ledger_format("Request for a run", signed_request.REQUEST_KIND),
    _ledger_format("Schedules and triggers in force", signed_statements.DECLARATION),
    _ledger_format("Pause of a schedule, and its end", signed_statements.SWITCH),
    Format("Evidence of a gate", "urn:hallmark:evidence:v1", Evidence),
    _ledger_format("Decision at a gate", signed_decision.DECISION_KIND),
    _ledger_format("Signature under a version of the code", signed_version.CODE_VERSION_KIND),
    _ledger_format("Adoption of a source, an evaluation suite or a use-case card", signed_declaration.DECLARATION_KIND),
    Format("Evaluation suites of a run", "urn:hallmark:evaluation-suites:v1", EvaluationSuites),
    Format("Record of a stage", stage_record.STAGE_RECORD_TYPE, StageRecord),
    Format("Gate statement", gate_statement.GATE_PREDICATE_TYPE, gate_statement.GateStatement, signed=True),
    _ledger_format("Withdrawal and restoration of a source", signed_withdrawal.PERSON_KIND),
    _ledger_format("Promotion and rollback", promotions.PROMOTION),
    _ledger_format("Order of a rollback", rollback_orders.ORDER),
    Format("Incident", signed_incident.PREDICATE_TYPE, Opening | Escalation | Closing, signed=True),
    _ledger_format("Request to forget a person", erasure_documents.REQUEST_KIND),
    _ledger_format("Decision about an erasure", erasure_documents.DECISION_KIND),
    _ledger_format("Certificate of an erasure", erasure_documents.CERTIFICATE_KIND),
    Format("Dossier of a release", "urn:hallmark:dossier:v1", Dossier),
    _ledger_format("Signature of a dossier", dossier_signature.SIGNATURE_KIND),
    _ledger_format("Statement about an export", export_statement.EXPORT_KIND),
    Format("Manifest of a release", "urn:hallmark:manifest:v1", Manifest),
    Format("Manifest of a dataset", "urn:hallmark:dataset:v1", Dataset),
    Format("Files of a release", bundle.TYPE, bundle.ReleaseFiles),
    Format("Round of expert labels", "urn:hallmark:label-round:v1", LabelRound),
    Format("Task file of a round that was handed out", "urn:hallmark:label-handout:v1", Handout),
    Format("Labels of an annotator or adjudicator", "urn:hallmark:label-submission:v1", LabelSubmission),
    Format("Pairs of an expert review", "urn:hallmark:review-pairs:v1", ReviewPairs),
    _ledger_format("Result of an expert review", signed_review.REVIEW_KIND),
    Format("Entry of the ledger", entry.ENTRY_TYPE, proof.Leaf),
    Format("Head of the ledger", heads.HEAD_TYPE, heads.Head, signed=True),
    Format("Export of the ledger: its first line", "urn:hallmark:ledger-export:v1", export.Header),
    Format("Proof that an entry is in the ledger", "urn:hallmark:ledger-inclusion:v1", proof.InclusionProof),
    Format("Proof that the ledger only grew", "urn:hallmark:ledger-consistency:v1", proof.ConsistencyProof),
)


def schema_text(document_format: Format) -> str:
    return json.dumps(document_format.schema(), indent=2, ensure_ascii=False) + "\n"


def write_schemas(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for each in FORMATS:
        (folder / f"{each.name}.json").write_text(schema_text(each), encoding="utf-8")


if __name__ == "__main__":
    write_schemas(FORMATS_FOLDER)
