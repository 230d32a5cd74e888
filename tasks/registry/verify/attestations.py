"""What stands beside a payload, parsed once its digests are known to be right."""

from dataclasses import replace
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from tasks.core import config, yaml_text
from tasks.core.errors import Refused
from tasks.core.graph import in_order
from tasks.core.params.use_case import UseCase
from tasks.core.payload.manifest import Manifest
from tasks.declarations import signed_declaration
from tasks.declarations.signed_declaration import Declaration
from tasks.gates import signed_request
from tasks.gates.evidence import Evidence
from tasks.gates.signed_decision import DECISION, Decision
from tasks.gates.signed_request import SignedRequest
from tasks.policy.people import Person
from tasks.policy.policy import Policy
from tasks.policy.read_signed import Signed as SignedBy
from tasks.policy.read_signed import read_envelope
from tasks.registry.release import bundle, contents
from tasks.registry.release.contents import Contents
from tasks.registry.release.promotions import Signed
from tasks.registry.verify import trust
from tasks.registry.verify.trust import Trust
from tasks.sources.dataset import Dataset
from tasks.trust import dsse, stage_record, validity
from tasks.trust.gate_statement import GateName
from tasks.trust.stage_record import SignedRecord
from tasks.versions import signed_version
from tasks.versions.signed_version import Version

MANIFEST, DATASET = f"{bundle.PAYLOAD}/manifest.json", f"{bundle.PAYLOAD}/dataset/manifest.json"
PARAMS = f"{bundle.PAYLOAD}/params.yaml"
PARSED = (MANIFEST, DATASET, PARAMS)
"""What is parsed of the payload."""


class Decided(NamedTuple):
    """A decision in a release, its signature verified."""

    decision: Decision
    person: Person
    subjects: dict[str, str]
    keyid: str
    """Fingerprint of the key that signed."""
    sha256: str
    """`dsse.digest` of the envelope."""
    name: str
    """Of its file."""


class Attested:
    def __init__(self, files: Contents, signed: Signed, trusted: Trust) -> None:
        self.files = files
        self.gate = validity.lines_by(trusted.gate, signed.promotion.time)
        """Public key lines that count in what carries no time of its own."""
        self.worker = validity.lines_by(trusted.worker, signed.promotion.time)
        """The same of the worker, who signs records of stages."""
        self.gate_key = dsse.signers(signed.envelope)[0]
        """Fingerprint of the one that promoted."""
        self.manifest = Manifest.read(contents.parse(files.bytes(MANIFEST), MANIFEST))
        self.policy = Policy.read(self._json("policy.json"))
        people = TypeAdapter(list[Person]).validate_python(self._json("people.json"))
        self.people = {person.id: person for person in people}
        self.signers = replace(trusted, people=self.people)
        """Whose signatures count in the release."""
        envelopes = [self._envelope(name) for name in files.below(bundle.GOVERNANCE)]
        self.adopted = trust.adopted(envelopes, trusted)
        """What was in force; None where nothing was adopted."""
        self.dataset = Dataset.read(contents.parse(files.bytes(DATASET), DATASET))
        tier = self.policy.tiers.get(self.manifest.tier)
        gates = in_order(tier.gates) if tier else []
        self.evidence = {gate: Evidence.read(self._json(f"evidence/{gate}.json")) for gate in gates}
        """By gate, of those that the release's own policy asks for in its tier."""

    @property
    def last(self) -> Evidence:
        """What the last gate looked at."""
        return [*self.evidence.values()][-1]

    def by_the_gate(self, name: str) -> dict[str, Any]:
        """A statement beside the payload that a key of the gate signed."""
        return dsse.verify(self._envelope(name), self.gate)

    def records(self) -> dict[str, SignedRecord]:
        """The records of its stages, by the name that DVC knows; empty where a version made it that had none."""
        records = [stage_record.verify(self._envelope(name), self.worker) for name in self.files.below(bundle.STAGES)]
        return {record.said.name: record for record in records}

    def again(self) -> dict[str, list[SignedRecord]]:
        """Records of its stages by other machines, by the name that DVC knows."""
        found: dict[str, list[SignedRecord]] = {}
        for name in self.files.below(bundle.AGAIN):
            record = stage_record.verify_computed(self._envelope(name), self.worker)
            found.setdefault(record.said.name, []).append(record)
        return found

    def code(self) -> list[SignedBy[Version]]:
        """What was signed under its version of the code."""
        return [
            read_envelope(self._envelope(name), signed_version.VERSION, self.signers)
            for name in self.files.below(bundle.CODE)
        ]

    def declared(self) -> list[SignedBy[Declaration]]:
        """What owners signed who adopted its sources and its card."""
        return [
            read_envelope(self._envelope(name), signed_declaration.DECLARATION, self.signers)
            for name in self.files.below(bundle.DECLARATIONS)
        ]

    def card(self) -> UseCase:
        """Of the payload's parameters. Raises Refused or ValueError where they hold none."""
        given = config.plain(yaml_text.load(self.files.bytes(PARAMS).decode(), PARAMS))
        return UseCase.model_validate(given.get("use_case") if isinstance(given, dict) else None)

    def decisions(self, gate: GateName) -> list[Decided]:
        """The gate's decisions."""
        names = self.files.below(f"{bundle.ATTESTATIONS}/decisions/{gate}")
        return [self._decision(name) for name in names]

    def _decision(self, name: str) -> Decided:
        try:
            signed = read_envelope(self._envelope(name), DECISION, self.signers)
        except Refused as error:
            raise Refused(f"{name}: {error}") from None
        assert signed.person is not None, "no machine decides"
        return Decided(signed.said, signed.person, signed.subjects, signed.keyid, signed.sha256, name)

    def request(self) -> SignedRequest:
        """The request for the run, its signature verified with the keys of whom it names."""
        try:
            return signed_request.read(self._envelope(bundle.REQUEST), self.signers)
        except Refused as error:
            raise Refused(f"{bundle.REQUEST}: {error}") from None

    def _envelope(self, name: str) -> dict[str, Any]:
        return dsse.parse(self.files.bytes(name), name)

    def _json(self, name: str) -> Any:
        return self.files.json(f"{bundle.ATTESTATIONS}/{name}")
