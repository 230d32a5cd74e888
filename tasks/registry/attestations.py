"""What stands beside a payload, parsed once its digests are known to be right."""

from typing import Any

from pydantic import TypeAdapter

from tasks.dataset import Dataset
from tasks.errors import Refused
from tasks.govern import dsse, signed_decision, signed_request
from tasks.govern.evidence import Evidence
from tasks.govern.people import Person
from tasks.govern.policy import GATES, SCHEDULER, GateName, Policy
from tasks.govern.signed_decision import Decision
from tasks.govern.signed_request import SignedRequest
from tasks.registry import bundle, contents
from tasks.registry.contents import Contents
from tasks.registry.manifest import Manifest

MANIFEST, DATASET = f"{bundle.PAYLOAD}/manifest.json", f"{bundle.PAYLOAD}/dataset/manifest.json"
PARSED = (MANIFEST, DATASET)
"""What is parsed of the payload."""


class Attested:
    def __init__(self, found: Contents, public_line: str) -> None:
        self.found = found
        self.public_line = public_line
        self.manifest = Manifest.model_validate(contents.parse(found.bytes(MANIFEST), MANIFEST))
        self.policy = Policy.model_validate(self._json("policy.json"))
        people = TypeAdapter(list[Person]).validate_python(self._json("people.json"))
        self.people = {person.id: person for person in people}
        self.dataset = Dataset.model_validate(contents.parse(found.bytes(DATASET), DATASET))
        self.evidence = {gate: Evidence.model_validate(self._json(f"evidence/{gate}.json")) for gate in GATES}

    def by_the_gate(self, name: str) -> dict[str, Any]:
        """A statement beside the payload that the gate's key signed."""
        return dsse.verify(self._envelope(name), self.public_line)

    def decisions(self, gate: GateName) -> list[tuple[Decision, Person, dict[str, str]]]:
        """The gate's decisions with who made them and their subjects, signatures verified."""
        names = self.found.below(f"{bundle.ATTESTATIONS}/decisions/{gate}")
        return [self._decision(self._envelope(name), name) for name in names]

    def _decision(self, envelope: dict[str, Any], name: str) -> tuple[Decision, Person, dict[str, str]]:
        person = self.people.get(str(dsse.peek(envelope)["predicate"].get("person")))
        if person is None or person.public_key is None:
            raise Refused(f"decision {name} is by somebody whose key is not in people.json")
        statement = dsse.verify(envelope, person.public_key)
        if statement["predicateType"] != signed_decision.PREDICATE_TYPE:
            raise Refused(f"{name} is a {statement['predicateType']}, not a decision")
        return Decision.model_validate(statement["predicate"]), person, dsse.subjects(statement)

    def request(self) -> SignedRequest:
        """The request for the run, its signature verified with the key of whom it names."""
        envelope = self._envelope(bundle.REQUEST)
        who = str(dsse.peek(envelope)["predicate"].get("requested_by"))
        person = self.people.get(who)
        line = person.public_key if person else None
        if who == SCHEDULER:
            line = self.found.bytes(bundle.SCHEDULER_KEY).decode().strip()
        if line is None:
            raise Refused(f"{bundle.REQUEST} is by somebody whose key is not in people.json")
        return SignedRequest(signed_request.verify(envelope, line), envelope, line)

    def _envelope(self, name: str) -> dict[str, Any]:
        return dsse.parse(self.found.bytes(name), name)

    def _json(self, name: str) -> Any:
        return self.found.json(f"{bundle.ATTESTATIONS}/{name}")
