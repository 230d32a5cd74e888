"""Stage record: digests of everything that a stage read and wrote, signed with the worker key after the stage ended.

It is an in-toto link (https://github.com/in-toto/attestation/blob/main/spec/predicates/link.md). The subjects of its
statement are the files that the stage wrote; its materials are all inputs that decide their content. It contains no
time, which is in the ledger's entry.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from tasks.core import files
from tasks.core.documents.config import FrozenModel
from tasks.core.documents.document import Document
from tasks.core.errors import Refused
from tasks.core.json_text import canonical_json, parse
from tasks.core.params.values import Sha256
from tasks.trust import dsse
from tasks.trust.keys import Signer

PREDICATE_TYPE = "https://in-toto.io/attestation/link/v0.3"
TYPE: Literal["urn:hallmark:stage-record:v1"] = "urn:hallmark:stage-record:v1"
ENTRY_KIND = "run.stage"
"""Kind of the ledger's entries about stages. Their subject is the id of the run."""
MAX_FILES = 5_000
"""Maximum number of files that a stage may write. A record of so many files has some two megabytes."""
MAX_NAMES_BYTES = 2**19
"""Maximum number of bytes of the paths of these files together."""
CODE_MATERIAL = "tasks"
"""Name of the material with the digest of the stage's code: `tasks.core.code_digest.stage_digest`."""

Digests = Mapping[str, str]
"""SHA-256 of files and folders (`tree_digest`), by path relative to the root of the worktree."""


class Digest(FrozenModel):
    sha256: Sha256


class Material(FrozenModel):
    name: str
    """Path relative to the root of the worktree; `params.yaml#SECTION` for a section of the parameters; `tasks` for the
    code of the stage."""
    digest: Digest


class Environment(FrozenModel):
    """Environment in which a stage was executed."""

    run: str
    """Id of the run."""
    sandbox: str | None
    """Sandbox that limited the stage to its materials, for example `bubblewrap 0.11.0`; null: none."""
    network: bool
    """Whether the stage had a network besides a loopback interface of its own."""
    platform: str
    """Machine, operating system and version of Python."""
    packages: Sha256
    """SHA-256 over the names and versions of all installed packages."""
    experiment: bool = False
    """Whether the run was an experiment, whose code nobody has to review, so that no other run uses its outputs. False
    in records of versions that did not state it."""


class StageRecord(Document):
    """Predicate of a stage record's statement."""

    type: Literal["urn:hallmark:stage-record:v1"] = TYPE
    name: str
    """Name of the stage in DVC, for example `train` or `predict@base`."""
    command: list[str]
    """Command that executed the stage."""
    materials: list[Material]
    """Inputs that decide the content of the outputs."""
    environment: Environment
    tree_sha256: Sha256
    """SHA-256 over the whole tree of the run's commit, of which the stage sees only its own code."""
    taken_from: Sha256 | None = None
    """SHA-256 of the envelope of the record whose outputs were restored from the stage cache; null: the stage was
    executed in this run."""
    byproducts: dict[str, Any] = {}
    """Envelope of that record, as `record`; empty if the stage was executed in this run."""

    @property
    def inputs(self) -> dict[str, str]:
        return {material.name: material.digest.sha256 for material in self.materials}

    @property
    def inputs_sha256(self) -> str:
        """SHA-256 of all inputs, the key of the stage cache. Records with equal keys are of the same computation."""
        return inputs_digest(self.name, self.inputs)


class SignedRecord(FrozenModel):
    """Stage record with its envelope and the key that signed it."""

    record: StageRecord
    outputs: dict[str, Sha256]
    """SHA-256 of each file that the stage wrote in artefacts/ and measured/, by path."""
    envelope: dict[str, Any]
    keyid: str
    """Fingerprint of the key that signed."""

    @property
    def sha256(self) -> str:
        return dsse.digest(self.envelope)

    @property
    def executed_by(self) -> str:
        """Fingerprint of the worker key of the machine that executed the stage, also if the outputs were cached."""
        original = self.record.byproducts.get("record") if self.record.taken_from else None
        return dsse.unverified_signers(original)[0] if original else self.keyid


def inputs_digest(stage: str, materials: Digests) -> str:
    return files.sha256_bytes(canonical_json({"name": stage, "materials": dict(materials)}))


def materials_of(read: Digests) -> list[Material]:
    return [Material(name=name, digest=Digest(sha256=sha256)) for name, sha256 in sorted(read.items())]


def sign(record: StageRecord, left: Digests, signer: Signer) -> dict[str, Any]:
    """Sign a stage record, and return its envelope.

    Args:
        record: Predicate of the statement.
        left: Files that the stage wrote, as subjects of the statement.
        signer: Worker key.

    Raises:
        Refused: The stage wrote no files, or too many.
    """
    if not left:
        raise Refused(f"stage {record.name} ended well and left no file")
    _require_few(record.name, left)
    return dsse.sign(dsse.statement(PREDICATE_TYPE, left, record.json_value), signer)


def _require_few(stage: str, left: Digests) -> None:
    """Raise Refused if the record would be long. The ledger stores records for ever.

    A record does not leave out files: nothing would prove a file that it does not name.
    """
    size = sum(len(path.encode()) for path in left)
    if len(left) > MAX_FILES or size > MAX_NAMES_BYTES:
        raise Refused(
            f"stage {stage} left {len(left):,} files, with names of {size:,} bytes, and its record names each file: "
            f"{MAX_FILES:,} files with names of {MAX_NAMES_BYTES:,} bytes at most; write fewer files, or one of all"
        )


def sign_cached(record: SignedRecord, tree_sha256: str, signer: Signer) -> dict[str, Any]:
    """Sign a record for a stage whose outputs were restored from the stage cache, and return its envelope.

    Args:
        record: Record in the stage cache.
        tree_sha256: Digest of the tree of this run's commit.
        signer: Worker key.
    """
    original = record.record.byproducts.get("record", record.envelope)
    update = {
        "tree_sha256": tree_sha256,
        "taken_from": dsse.digest(original),
        "byproducts": {"record": original},
    }
    return sign(record.record.model_copy(update=update), record.outputs, signer)


def verify(envelope: Mapping[str, Any], lines: Sequence[str]) -> SignedRecord:
    """Verify the envelope of a stage record, and of the original record if its outputs were cached.

    Args:
        envelope: Envelope of the record.
        lines: Public key lines, one of which must have signed.

    Raises:
        Refused: A signature is not valid, or the original record is of another computation.
    """
    record = _parse(envelope, dsse.verify(envelope, lines))
    if record.record.taken_from:
        original = verify_executed(record.record.byproducts.get("record", {}), lines)
        if original.sha256 != record.record.taken_from or not _have_same_inputs(original, record):
            raise Refused(f"the record of stage {record.record.name} was taken from one of something else")
    return record


def verify_executed(envelope: Mapping[str, Any], lines: Sequence[str]) -> SignedRecord:
    """Verify the envelope of a record whose stage was executed rather than restored from the stage cache.

    Raises:
        Refused: The signature is not valid, or the outputs were restored from the stage cache.
    """
    record = _parse(envelope, dsse.verify(envelope, lines))
    if record.record.taken_from:
        raise Refused(f"the record of stage {record.record.name} is of no computation")
    return record


def _have_same_inputs(one: SignedRecord, other: SignedRecord) -> bool:
    return (one.record.name, one.record.inputs, one.outputs, one.record.environment) == (
        other.record.name, other.record.inputs, other.outputs, other.record.environment
    )  # fmt: skip


def have_same_outputs(one: SignedRecord, other: SignedRecord) -> bool:
    """Return whether two records have the same inputs and artefacts.

    Measurements differ each time and are not compared.
    """
    outputs = [
        {path: sha256 for path, sha256 in each.outputs.items() if path.startswith("artefacts/")}
        for each in (one, other)
    ]
    return one.record.inputs_sha256 == other.record.inputs_sha256 and outputs[0] == outputs[1]


def parse_unverified(envelope: Mapping[str, Any]) -> SignedRecord:
    """Parse a stage record of a release whose signatures were verified before.

    Raises:
        Refused: The envelope is not that of a stage record.
    """
    return _parse(envelope, dsse.unverified_statement(envelope))


def _parse(envelope: Mapping[str, Any], statement: Mapping[str, Any]) -> SignedRecord:
    said = dsse.read_predicate(statement, PREDICATE_TYPE, StageRecord, "the record of a stage")
    left, folder = dsse.subjects(statement), said.name.replace("@", "/")
    if len(left) != len(statement["subject"]) or len(said.inputs) != len(said.materials):
        raise Refused(f"the record of stage {said.name} names something twice")
    if outside := sorted(path for path in left if not path.startswith((f"artefacts/{folder}/", f"measured/{folder}/"))):
        raise Refused(f"the record of stage {said.name} is about {outside[0]}, which is no output of it")
    return SignedRecord(record=said, outputs=left, envelope=dict(envelope), keyid=dsse.unverified_signers(envelope)[0])


def section_digest(value: object) -> str:
    plain = parse(json.dumps(value, default=lambda other: {type(other).__name__: str(other)}))
    return files.sha256_bytes(canonical_json(plain))


def digest_of_path(path: str, left: Digests) -> str | None:
    """Return the digest of a file or folder, computed from the digests of files; None if it is not among them."""
    if path in left:
        return left[path]
    inside = {name.removeprefix(f"{path}/"): sha256 for name, sha256 in left.items() if name.startswith(f"{path}/")}
    return files.sha256_bytes(canonical_json(inside)) if inside else None
