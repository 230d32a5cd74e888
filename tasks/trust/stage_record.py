"""The record of a stage: what it read and what it left, by digest, signed by the worker's key once the stage has ended.

An in-toto link (https://github.com/in-toto/attestation/blob/main/spec/predicates/link.md). The subjects of its
statement are the files that the stage left, the materials all that decided them. It holds no time: the ledger's entry
has that.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tasks.core import files
from tasks.core.config import Frozen
from tasks.core.document import Document
from tasks.core.errors import Refused
from tasks.core.params.values import Sha256
from tasks.trust import dsse
from tasks.trust.keys import Signer

PREDICATE_TYPE = "https://in-toto.io/attestation/link/v0.3"
TYPE: Literal["urn:hallmark:stage-record:v1"] = "urn:hallmark:stage-record:v1"
KIND = "run.stage"
"""Of the ledger's entries about stages; their subject is the run's id."""
CODE = "tasks"
"""The material that stands for the code of the stage: `tasks.core.code.of_stage`."""

Digests = Mapping[str, str]
"""SHA-256 by path from the root of a run: of files, and of folders as `tree_digest` has it."""


class Digest(Frozen):
    sha256: Sha256


class Material(Frozen):
    name: str
    """Path from the root of the run; `params.yaml#SECTION` for a section of it; `tasks` for the code of the stage."""
    digest: Digest


class Environment(Frozen):
    """Where it was computed."""

    run: str
    """In which run."""
    sandbox: str | None
    """What kept it from all but its materials, as `bubblewrap 0.11.0`; null: nothing did."""
    network: bool
    """Whether it had more than a loopback of its own."""
    platform: str
    packages: Sha256
    """Of the names and versions of all packages that were installed."""
    experiment: bool = False
    """Whether the run was an experiment, whose code nobody had to look at: no other run takes what it made. False where
    a version computed it that did not say."""


class StageRecord(Document):
    """The predicate of the statement."""

    type: Literal["urn:hallmark:stage-record:v1"] = TYPE
    name: str
    """Of the stage, as DVC knows it: `train`, `predict@base`, …"""
    command: list[str]
    materials: list[Material]
    environment: Environment
    tree_sha256: Sha256
    """Of all that the commit of this run holds, of which the stage sees its own code alone."""
    taken_from: Sha256 | None = None
    """`dsse.digest` of the record by which the outputs were taken from the cache; null: they were computed."""
    byproducts: dict[str, Any] = {}
    """`record`: the envelope of that record."""

    @property
    def inputs(self) -> dict[str, str]:
        """SHA-256 of the materials, by name."""
        return {material.name: material.digest.sha256 for material in self.materials}

    @property
    def inputs_sha256(self) -> str:
        """Of all that decides what the stage leaves: two records with the same one are of the same work."""
        return inputs_digest(self.name, self.inputs)


class SignedRecord(Frozen):
    """A record, as somebody signed it."""

    said: StageRecord
    left: dict[str, Sha256]
    """The files that the stage left, of artefacts/ and of measured/."""
    envelope: dict[str, Any]
    keyid: str
    """Fingerprint of the key that signed."""

    @property
    def sha256(self) -> str:
        """As other documents refer to it."""
        return dsse.digest(self.envelope)

    @property
    def computed_by(self) -> str:
        """Fingerprint of the key of the machine that computed it, where another one took it."""
        original = self.said.byproducts.get("record") if self.said.taken_from else None
        return dsse.signers(original)[0] if original else self.keyid


def inputs_digest(stage: str, materials: Digests) -> str:
    """SHA-256 of a stage's name and materials."""
    return files.sha256_bytes(files.canonical_json({"name": stage, "materials": dict(materials)}))


def materials(read: Digests) -> list[Material]:
    return [Material(name=name, digest=Digest(sha256=sha256)) for name, sha256 in sorted(read.items())]


def sign(record: StageRecord, left: Digests, signer: Signer) -> dict[str, Any]:
    """The envelope of a record of the files `left`. Raises Refused where the stage left none."""
    if not left:
        raise Refused(f"stage {record.name} ended well and left no file")
    return dsse.sign(dsse.statement(PREDICATE_TYPE, left, record.said), signer)


def taken(record: SignedRecord, tree_sha256: str, signer: Signer) -> dict[str, Any]:
    """The envelope of a record of a run that takes what another one computed."""
    original = record.said.byproducts.get("record", record.envelope)
    update = {
        "tree_sha256": tree_sha256,
        "taken_from": dsse.digest(original),
        "byproducts": {"record": original},
    }
    return sign(record.said.model_copy(update=update), record.left, signer)


def verify(envelope: Mapping[str, Any], lines: Sequence[str]) -> SignedRecord:
    """A record that one of these public keys signed, and that of the computation too where it was taken. Raises
    Refused."""
    record = _signed(envelope, dsse.verify(envelope, lines))
    if record.said.taken_from:
        original = verify_computed(record.said.byproducts.get("record", {}), lines)
        if original.sha256 != record.said.taken_from or not _same_work(original, record):
            raise Refused(f"the record of stage {record.said.name} was taken from one of something else")
    return record


def verify_computed(envelope: Mapping[str, Any], lines: Sequence[str]) -> SignedRecord:
    """The record of a computation. Raises Refused."""
    record = _signed(envelope, dsse.verify(envelope, lines))
    if record.said.taken_from:
        raise Refused(f"the record of stage {record.said.name} is of no computation")
    return record


def _same_work(one: SignedRecord, other: SignedRecord) -> bool:
    return (one.said.name, one.said.inputs, one.left, one.said.environment) == (
        other.said.name, other.said.inputs, other.left, other.said.environment
    )  # fmt: skip


def agree(one: SignedRecord, other: SignedRecord) -> bool:
    """Whether both are of the same work, with the same outputs; what a stage measures differs each time."""
    outputs = [
        {path: sha256 for path, sha256 in each.left.items() if path.startswith("artefacts/")} for each in (one, other)
    ]
    return one.said.inputs_sha256 == other.said.inputs_sha256 and outputs[0] == outputs[1]


def unverified(envelope: Mapping[str, Any]) -> SignedRecord:
    """A record of a release that has been verified as a whole. Raises Refused where it is none."""
    return _signed(envelope, dsse.peek(envelope))


def _signed(envelope: Mapping[str, Any], statement: Mapping[str, Any]) -> SignedRecord:
    said = dsse.predicate(statement, PREDICATE_TYPE, StageRecord, "the record of a stage")
    left, folder = dsse.subjects(statement), said.name.replace("@", "/")
    if len(left) != len(statement["subject"]) or len(said.inputs) != len(said.materials):
        raise Refused(f"the record of stage {said.name} names something twice")
    if outside := sorted(path for path in left if not path.startswith((f"artefacts/{folder}/", f"measured/{folder}/"))):
        raise Refused(f"the record of stage {said.name} is about {outside[0]}, which is no output of it")
    return SignedRecord(said=said, left=left, envelope=dict(envelope), keyid=dsse.signers(envelope)[0])


def value_digest(value: object) -> str:
    """SHA-256 of a section of parameters."""
    plain = json.loads(json.dumps(value, default=lambda other: {type(other).__name__: str(other)}))
    return files.sha256_bytes(files.canonical_json(plain))


def below(path: str, left: Digests) -> str | None:
    """The digest of a file or folder among the files that stages left; None where none of them is there."""
    if path in left:
        return left[path]
    inside = {name.removeprefix(f"{path}/"): sha256 for name, sha256 in left.items() if name.startswith(f"{path}/")}
    return files.sha256_bytes(files.canonical_json(inside)) if inside else None
