"""Attestations of a release, parsed after their digests were verified."""

from dataclasses import replace
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from tasks.code_versions import signed_version
from tasks.code_versions.signed_version import CodeVersion
from tasks.core.documents import config, yaml_text
from tasks.core.errors import Refused
from tasks.core.files import sha256_bytes
from tasks.core.graph import sort_gates
from tasks.core.params.use_case import UseCase
from tasks.core.payload.manifest import Manifest
from tasks.declarations import signed_declaration
from tasks.declarations.signed_declaration import Declaration
from tasks.gates import signed_request
from tasks.gates.evidence import Evidence
from tasks.gates.signed_decision import DECISION_KIND, Decision
from tasks.gates.signed_request import RecordedRunRequest
from tasks.policy.people import Person
from tasks.policy.policy import Policy
from tasks.policy.signed_document import SignedDocument as SignedBy
from tasks.policy.signed_document import verify_envelope
from tasks.registry.release import bundle, contents
from tasks.registry.release.contents import FolderContents
from tasks.registry.release.promotions import SignedPromotion
from tasks.registry.verify import trust
from tasks.registry.verify.trust import TrustedKeys
from tasks.sources.dataset import Dataset
from tasks.stages.evaluate.suites.suite import EvaluationSuite, EvaluationSuites
from tasks.trust import dsse, stage_record, validity
from tasks.trust.gate_statement import GateName
from tasks.trust.stage_record import SignedRecord

MANIFEST, DATASET = f"{bundle.PAYLOAD}/manifest.json", f"{bundle.PAYLOAD}/dataset/manifest.json"
PARAMS = f"{bundle.PAYLOAD}/params.yaml"
EVALUATIONS = f"{bundle.PAYLOAD}/evaluation/evaluations.json"
PARSED_FILES = (MANIFEST, DATASET, PARAMS, EVALUATIONS)


class ReleaseDecision(NamedTuple):
    decision: Decision
    person: Person
    subjects: dict[str, str]
    keyid: str
    sha256: str
    """Digest of the envelope (`dsse.digest`)."""
    path: str
    """Path of the decision's file in the release."""


class Attestations:
    def __init__(self, files: FolderContents, signed: SignedPromotion, trusted: TrustedKeys) -> None:
        self.files = files
        self.gate_keys = validity.possible_key_lines(trusted.gate_keys, signed.promotion.time)
        """Public gate keys that are accepted for attestations that do not state a time."""
        self.worker_keys = validity.possible_key_lines(trusted.worker_keys, signed.promotion.time)
        self.promotion_keyid = dsse.unverified_signers(signed.envelope)[0]
        self.manifest = Manifest.from_value(contents.parse_json(files.file_bytes(MANIFEST), MANIFEST))
        self.policy = Policy.from_value(self._json("policy.json"))
        people = TypeAdapter(list[Person]).validate_python(self._json("people.json"))
        self.people = {person.id: person for person in people}
        self.signers = replace(trusted, people=self.people)
        """Keys of the people and machines whose signatures are accepted in this release."""
        envelopes = [self._envelope(name) for name in files.names_below(bundle.GOVERNANCE_ADOPTIONS)]
        self.governance = trust.last_adoption(envelopes, trusted)
        """Adoption of policy and people that was in force at the promotion; None if the release contains no
        adoption."""
        self.dataset = Dataset.from_value(contents.parse_json(files.file_bytes(DATASET), DATASET))
        tier = self.policy.tiers.get(self.manifest.tier)
        gates = sort_gates(tier.gates) if tier else []
        self.evidence = {gate: Evidence.from_value(self._json(f"evidence/{gate}.json")) for gate in gates}
        """Evidence of each gate that the policy in the release requires for the release's risk tier."""

    @property
    def last_evidence(self) -> Evidence:
        return [*self.evidence.values()][-1]

    def verify_gate_signed(self, name: str) -> dict[str, Any]:
        return dsse.verify_envelope(self._envelope(name), self.gate_keys)

    def stage_records(self) -> dict[str, SignedRecord]:
        """Return the stage records by DVC stage name; empty if the release is from an early Hallmark version."""
        records = [
            stage_record.verify_record(self._envelope(name), self.worker_keys)
            for name in self.files.names_below(bundle.STAGE_RECORDS)
        ]
        return {record.record.name: record for record in records}

    def reproduction_records(self) -> dict[str, list[SignedRecord]]:
        found: dict[str, list[SignedRecord]] = {}
        for name in self.files.names_below(bundle.REPRODUCTION_RECORDS):
            record = stage_record.verify_executed_record(self._envelope(name), self.worker_keys)
            found.setdefault(record.record.name, []).append(record)
        return found

    def code_signoffs(self) -> list[SignedBy[CodeVersion]]:
        return [
            verify_envelope(self._envelope(name), signed_version.CODE_VERSION_KIND, self.signers)
            for name in self.files.names_below(bundle.CODE_SIGNOFFS)
        ]

    def declarations(self) -> list[SignedBy[Declaration]]:
        return [
            verify_envelope(self._envelope(name), signed_declaration.DECLARATION_KIND, self.signers)
            for name in self.files.names_below(bundle.DECLARATIONS)
        ]

    def use_case_card(self) -> UseCase:
        """Return the use-case card in the payload's parameters.

        Raises:
            InputError: The parameters are not valid YAML.
            ValueError: The parameters contain no valid use-case card.
        """
        given = config.to_plain_value(yaml_text.parse_with_limits(self.files.file_bytes(PARAMS).decode(), PARAMS))
        return UseCase.model_validate(given.get("use_case") if isinstance(given, dict) else None)

    def evaluation_suites(self) -> list[EvaluationSuite]:
        """Return the evaluation suites that the models were asked; empty in releases of versions without suites.

        Raises:
            Refused: The suites in the payload are not the run's.
        """
        stated = self.manifest.inputs.get("evaluations.json")
        if stated is None:
            return []
        data = self.files.file_bytes(EVALUATIONS)
        if sha256_bytes(data) != stated:
            raise Refused(f"{EVALUATIONS} is not the file that payload/manifest.json names")
        return EvaluationSuites.from_value(contents.parse_json(data, EVALUATIONS)).suites

    def decisions(self, gate: GateName) -> list[ReleaseDecision]:
        names = self.files.names_below(f"{bundle.ATTESTATIONS}/decisions/{gate}")
        return [self._decision(name) for name in names]

    def _decision(self, name: str) -> ReleaseDecision:
        try:
            signed = verify_envelope(self._envelope(name), DECISION_KIND, self.signers)
        except Refused as error:
            raise Refused(f"{name}: {error}") from None
        assert signed.person is not None, "no machine decides"
        return ReleaseDecision(signed.document, signed.person, signed.subjects, signed.keyid, signed.sha256, name)

    def request(self) -> RecordedRunRequest:
        try:
            return signed_request.verify_request(self._envelope(bundle.RUN_REQUEST), self.signers)
        except Refused as error:
            raise Refused(f"{bundle.RUN_REQUEST}: {error}") from None

    def _envelope(self, name: str) -> dict[str, Any]:
        return dsse.parse_envelope(self.files.file_bytes(name), name)

    def _json(self, name: str) -> Any:
        return self.files.parsed_json(f"{bundle.ATTESTATIONS}/{name}")
