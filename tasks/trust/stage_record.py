"""Stage record: digests of everything that a stage read and wrote, signed with the worker key after the stage ended.

It is an in-toto link (https://github.com/in-toto/attestation/blob/main/spec/predicates/link.md). The subjects of its
statement are the files that the stage wrote. Its materials are all inputs that determine the content of these files.
It contains no time; the time is in the ledger entry.
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

LINK_PREDICATE_TYPE = "https://in-toto.io/attestation/link/v0.3"
STAGE_RECORD_TYPE: Literal["urn:hallmark:stage-record:v1"] = "urn:hallmark:stage-record:v1"
STAGE_ENTRY_KIND = "run.stage"
"""Kind of ledger entry about an executed stage. Its subject is the id of the run."""
MAX_FILES = 5_000
"""Maximum number of files that a stage can write. A record of that many files takes about two megabytes."""
MAX_NAMES_BYTES = 2**19
"""Maximum total length in bytes of the paths of all files that a stage writes."""
CODE_MATERIAL = "tasks"
"""Name of the material for the stage's code. Its digest is computed by `tasks.core.code_digest.stage_digest`."""

Digests = Mapping[str, str]
"""SHA-256 of files and folders, by path relative to the root of the worktree. For a folder it is the `tree_digest`."""


class Sha256Digest(FrozenModel):
    sha256: Sha256


class Material(FrozenModel):
    name: str
    """Path relative to the root of the worktree; `params.yaml#SECTION` for a section of the parameters; `tasks` for the
    code of the stage."""
    digest: Sha256Digest


class StageEnvironment(FrozenModel):
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
    outputs. Records from earlier versions of Hallmark do not have this field, which then counts as false."""


class StageRecord(Document):
    """Predicate of the signed statement about the files that a stage read and wrote."""

    type: Literal["urn:hallmark:stage-record:v1"] = STAGE_RECORD_TYPE
    name: str
    """Name of the stage in DVC, for example `train` or `predict@base`."""
    command: list[str]
    """Command that executed the stage."""
    materials: list[Material]
    """Inputs that determine the content of the outputs."""
    environment: StageEnvironment
    tree_sha256: Sha256
    """SHA-256 of the whole file tree of the run's commit. The stage can read only its own code in this tree."""
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
        """SHA-256 of the stage's name and all inputs, used as the key of the stage cache.

        Records with the same key describe the same computation.
        """
        return inputs_digest(self.name, self.inputs)


class SignedRecord(FrozenModel):
    record: StageRecord
    outputs: dict[str, Sha256]
    """SHA-256 of each file that the stage wrote in artefacts/ and measured/, by path."""
    envelope: dict[str, Any]
    keyid: str
    """Fingerprint of the key that signed the record."""

    @property
    def sha256(self) -> str:
        return dsse.envelope_digest(self.envelope)

    @property
    def executed_by(self) -> str:
        """Fingerprint of the key of the worker that executed the stage.

        If the outputs were restored from the stage cache, this is the worker of the original execution.
        """
        original = self.record.byproducts.get("record") if self.record.taken_from else None
        return dsse.unverified_signers(original)[0] if original else self.keyid


def inputs_digest(stage: str, materials: Digests) -> str:
    return files.sha256_bytes(canonical_json({"name": stage, "materials": dict(materials)}))


def make_materials(digests: Digests) -> list[Material]:
    return [Material(name=name, digest=Sha256Digest(sha256=sha256)) for name, sha256 in sorted(digests.items())]


def sign_record(record: StageRecord, outputs: Digests, signer: Signer) -> dict[str, Any]:
    """Sign a stage record, and return its envelope.

    Args:
        record: Predicate of the statement.
        outputs: Digests of the files that the stage wrote. They become the subjects of the statement.
        signer: Worker key.

    Raises:
        Refused: The stage wrote no files, or too many.
    """
    if not outputs:
        raise Refused(f"stage {record.name} ended well and left no file")
    _require_record_size(record.name, outputs)
    return dsse.sign_statement(dsse.make_statement(LINK_PREDICATE_TYPE, outputs, record.json_value), signer)


def _require_record_size(stage: str, outputs: Digests) -> None:
    """Check that a stage record would not be too long, because the ledger stores records forever.

    A record cannot leave out files, because a file that it does not name could not be verified.

    Raises:
        Refused: There are too many files, or their paths are too long.
    """
    size = sum(len(path.encode()) for path in outputs)
    if len(outputs) > MAX_FILES or size > MAX_NAMES_BYTES:
        raise Refused(
            f"stage {stage} left {len(outputs):,} files, with names of {size:,} bytes, and its record names each file: "
            f"{MAX_FILES:,} files with names of {MAX_NAMES_BYTES:,} bytes at most; write fewer files, or one of all"
        )


def sign_cached_record(record: SignedRecord, tree_sha256: str, signer: Signer) -> dict[str, Any]:
    """Sign a record for a stage whose outputs were restored from the stage cache, and return its envelope.

    Args:
        record: Record in the stage cache.
        tree_sha256: Digest of the tree of this run's commit.
        signer: Worker key.
    """
    original = record.record.byproducts.get("record", record.envelope)
    update = {
        "tree_sha256": tree_sha256,
        "taken_from": dsse.envelope_digest(original),
        "byproducts": {"record": original},
    }
    return sign_record(record.record.model_copy(update=update), record.outputs, signer)


def verify_record(envelope: Mapping[str, Any], public_lines: Sequence[str]) -> SignedRecord:
    """Verify the envelope of a stage record. If its outputs were cached, verify the original record as well.

    Args:
        envelope: Envelope of the record.
        public_lines: Public key lines. Each signature must be from one of these keys.

    Raises:
        Refused: A signature is not valid, or the original record is of a different computation.
    """
    record = _parse_record(envelope, dsse.verify_envelope(envelope, public_lines))
    if record.record.taken_from:
        original = verify_executed_record(record.record.byproducts.get("record", {}), public_lines)
        if original.sha256 != record.record.taken_from or not _are_same_computation(original, record):
            raise Refused(f"the record of stage {record.record.name} was taken from one of something else")
    return record


def verify_executed_record(envelope: Mapping[str, Any], public_lines: Sequence[str]) -> SignedRecord:
    """Verify the envelope of a record whose stage was executed rather than restored from the stage cache.

    Raises:
        Refused: The signature is not valid, or the outputs were restored from the stage cache.
    """
    record = _parse_record(envelope, dsse.verify_envelope(envelope, public_lines))
    if record.record.taken_from:
        raise Refused(f"the record of stage {record.record.name} is of no computation")
    return record


def _are_same_computation(one: SignedRecord, other: SignedRecord) -> bool:
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


def parse_unverified_record(envelope: Mapping[str, Any]) -> SignedRecord:
    """Parse a stage record without verifying its signature.

    Callers use it for the records of a release whose signatures have already been verified.

    Raises:
        Refused: The envelope does not contain a stage record.
    """
    return _parse_record(envelope, dsse.unverified_statement(envelope))


def _parse_record(envelope: Mapping[str, Any], statement: Mapping[str, Any]) -> SignedRecord:
    said = dsse.read_predicate(statement, LINK_PREDICATE_TYPE, StageRecord, "the record of a stage")
    left, folder = dsse.subject_digests(statement), said.name.replace("@", "/")
    if len(left) != len(statement["subject"]) or len(said.inputs) != len(said.materials):
        raise Refused(f"the record of stage {said.name} names something twice")
    if outside := sorted(path for path in left if not path.startswith((f"artefacts/{folder}/", f"measured/{folder}/"))):
        raise Refused(f"the record of stage {said.name} is about {outside[0]}, which is no output of it")
    return SignedRecord(record=said, outputs=left, envelope=dict(envelope), keyid=dsse.unverified_signers(envelope)[0])


def section_digest(value: object) -> str:
    plain = parse(json.dumps(value, default=lambda other: {type(other).__name__: str(other)}))
    return files.sha256_bytes(canonical_json(plain))


def digest_of_path(path: str, digests: Digests) -> str | None:
    """Return the digest of a file or folder, given the digests of files. Return None if no file is at the path."""
    if path in digests:
        return digests[path]
    inside = {name.removeprefix(f"{path}/"): sha256 for name, sha256 in digests.items() if name.startswith(f"{path}/")}
    return files.sha256_bytes(canonical_json(inside)) if inside else None
