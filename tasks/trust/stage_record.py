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
"""Kind of ledger entry about an executed stage. Its subject is the id of the run."""
MAX_FILES = 5_000
"""Maximum number of files that a stage can write. A record with that many files has about two megabytes."""
MAX_NAMES_BYTES = 2**19
"""Maximum total length in bytes of the paths of all files that a stage writes."""
CODE_MATERIAL = "tasks"
"""Name of the material with the digest of the stage's code: `tasks.core.code_digest.stage_digest`."""

Digests = Mapping[str, str]
"""SHA-256 of files and folders by path relative to the root of the worktree. A folder's digest is its `tree_digest`."""


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
    """Sandbox that limited the stage to its materials, for example `bubblewrap 0.11.0`; null if there was none."""
    network: bool
    """Whether the stage had access to a network, apart from its own loopback interface."""
    platform: str
    """Machine, operating system and Python version."""
    packages: Sha256
    """SHA-256 over the names and versions of all installed packages."""
    experiment: bool = False
    """Whether the run was an experiment. The code of an experiment need not be reviewed, so no other run uses its
    outputs. False in records of versions without this field."""


class StageRecord(Document):
    """Predicate of the signed statement about the files that a stage read and wrote."""

    type: Literal["urn:hallmark:stage-record:v1"] = TYPE
    name: str
    """Name of the stage in DVC, for example `train` or `predict@base`."""
    command: list[str]
    """Command that executed the stage."""
    materials: list[Material]
    """Inputs that determine the content of the outputs."""
    environment: Environment
    tree_sha256: Sha256
    """SHA-256 of the whole file tree of the run's commit. The stage sees only its own code in this tree."""
    taken_from: Sha256 | None = None
    """SHA-256 of the original record's envelope if the outputs were restored from the stage cache; null if the stage
    was executed in this run."""
    byproducts: dict[str, Any] = {}
    """Envelope of the original record under the key `record`; empty if the stage was executed in this run."""

    @property
    def inputs(self) -> dict[str, str]:
        return {material.name: material.digest.sha256 for material in self.materials}

    @property
    def inputs_sha256(self) -> str:
        """SHA-256 of all inputs, which is the key of the stage cache. Equal keys mean the same computation."""
        return inputs_digest(self.name, self.inputs)


class SignedRecord(FrozenModel):
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
        """Fingerprint of the key of the worker that executed the stage, even if its outputs come from the cache."""
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
        left: Digests of the files that the stage wrote, which become the subjects of the statement.
        signer: Worker key.

    Raises:
        Refused: The stage wrote no files, or too many.
    """
    if not left:
        raise Refused(f"stage {record.name} ended well and left no file")
    _require_few(record.name, left)
    return dsse.sign(dsse.statement(PREDICATE_TYPE, left, record.json_value), signer)


def _require_few(stage: str, left: Digests) -> None:
    """Raise Refused if the record would be too long, because the ledger stores records for ever.

    A record must not leave out files, because a file that it does not name could not be verified.
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

    Measurements are not compared, because they differ from one execution to the next.
    """
    outputs = [
        {path: sha256 for path, sha256 in each.outputs.items() if path.startswith("artefacts/")}
        for each in (one, other)
    ]
    return one.record.inputs_sha256 == other.record.inputs_sha256 and outputs[0] == outputs[1]


def parse_unverified(envelope: Mapping[str, Any]) -> SignedRecord:
    """Parse the stage record of a release whose signatures have already been verified.

    Raises:
        Refused: The envelope does not contain a stage record.
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
    """Return the digest of a file or folder from the digests of files, or None if they do not contain the path."""
    if path in left:
        return left[path]
    inside = {name.removeprefix(f"{path}/"): sha256 for name, sha256 in left.items() if name.startswith(f"{path}/")}
    return files.sha256_bytes(canonical_json(inside)) if inside else None
