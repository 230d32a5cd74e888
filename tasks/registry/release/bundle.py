"""Layout of a release's folder: `payload/` with the approved files, and `attestations/` with the proofs.

    payload/                    artefacts/package/payload of the run
    attestations/
        evidence/GATE.json      evidence of each gate
        decisions/GATE/NN.json  decisions that people signed at the gate, in ledger order
        gates/GATE.json         gate statement
        declarations/NN.json    signatures of the owners who adopted the release's sources and its use-case card
        code/NN.json            signatures of the people who signed off the code
        stages/STAGE.json       record of each stage: digests of what it read and wrote, signed with the worker key
        again/STAGE/NN.json     records of the same stage, executed on other machines
        results/GATE.json       outcome of the gate as an in-toto test result (gate_results.py)
        governance/NNNN.json    adoptions of policy and people, which establish the valid keys from the root key onwards
        policy.json people.json policy in force, and keys and roles of the people who requested the run or decided,
                                both copied from the last adoption
        request.json            run request, as the requester signed it
        result.json             result of stage `package`; the subject of the release gate is this file and payload/
        model.sig               OpenSSF Model Signing signature of the payload; the key is model-signing.pub
        provenance.json         SLSA provenance (provenance.py)
        summary.json            SLSA verification summary (summary.py)
        promotion.json          promotion statement, which lists every other file except the next two
        ledger.json             inclusion proof of the promotion's ledger entry, written later (promotion_proof.py)
        left-out.json           weight files that a partial copy of the release lacks (omitted_weights.py)

`tasks.registry.promote.assembly` builds a bundle.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from tasks.core import files
from tasks.core.documents.document import Document
from tasks.core.errors import Refused, raise_machine_fault
from tasks.core.json_text import canonical_json
from tasks.core.params.values import Sha256
from tasks.registry.release import contents, provenance
from tasks.trust.gate_statement import GateName

TYPE: Final = "urn:hallmark:release:v1"
RELEASES_FOLDER = "releases"
"""Folder of all releases, relative to `.hallmark/`."""
PAYLOAD, ATTESTATIONS = "payload", "attestations"
PROMOTION_STATEMENT = f"{ATTESTATIONS}/promotion.json"
LEDGER_PROOF = f"{ATTESTATIONS}/ledger.json"
OMITTED_WEIGHTS = f"{ATTESTATIONS}/left-out.json"
UNLISTED_FILES = {PROMOTION_STATEMENT, LEDGER_PROOF, OMITTED_WEIGHTS}
"""Files that the promotion statement does not list: the statement itself, and files that are added after it is
signed."""
GOVERNANCE_ADOPTIONS = f"{ATTESTATIONS}/governance"
"""Folder of the signed adoptions of policy and people. It is missing from a release that was made in environment
`local` under proposed files (option `--governance`)."""
STAGE_RECORDS = f"{ATTESTATIONS}/stages"
"""Folder of the stage records; missing in releases of early Hallmark versions."""
DECLARATIONS = f"{ATTESTATIONS}/declarations"
"""Folder of the signed adoptions of the sources and the use-case card; optional in environment `local`."""
REPRODUCTION_RECORDS = f"{ATTESTATIONS}/again"
"""Folder of the stage records from other machines, which exists if the run was reproduced before its promotion."""
CODE_SIGNOFFS = f"{ATTESTATIONS}/code"
"""Folder of the code sign-offs; optional in environment `local`."""
RUN_REQUEST = provenance.RUN_REQUEST


class ReleaseFiles(Document):
    """SHA-256 of each file that the promotion statement lists. The digest of this document identifies the release."""

    type: Literal["urn:hallmark:release:v1"] = TYPE
    files: dict[str, Sha256]


def evidence_path(gate: GateName) -> str:
    return f"{ATTESTATIONS}/evidence/{gate}.json"


def evidence_digests(listing: Mapping[str, str]) -> dict[GateName, str]:
    """Return the SHA-256 of the evidence on which a release passed each gate, by gate."""
    return {Path(name).stem: digest for name, digest in files_below(listing, f"{ATTESTATIONS}/evidence").items()}


def release_folder(state: Path, label: str) -> Path:
    return state / RELEASES_FOLDER / label


def list_digests(bundle: Path) -> dict[str, str]:
    """Return the SHA-256 of every file that belongs in the promotion statement, by path in the bundle.

    Raises:
        Refused: The bundle contains a link, pipe, device or empty folder.
    """
    listed = sorted(set(contents.file_names(bundle)) - UNLISTED_FILES)
    return {name: files.sha256_file(bundle / name) for name in listed}


def read_listed_file(folder: Path, name: str, listing: Mapping[str, str]) -> bytes:
    """Read a file of a release once, and verify that it has the digest in the promotion statement.

    Args:
        folder: Folder of the release.
        name: Path of the file in that folder.
        listing: SHA-256 of every file of the release, from a verified promotion statement.

    Raises:
        Refused: The file is missing, is not listed, or was changed.
        Unavailable: The machine lacks memory or file descriptors, or its disk fails.
    """
    try:
        with files.open_regular_file(folder / name) as file:
            data = file.read()
    except OSError as error:
        raise_machine_fault(folder / name, error)
        raise Refused(
            f"{folder / name} cannot be read ({error.strerror}), and the release has it; restore it"
        ) from None
    if files.sha256_bytes(data) != listing.get(name):
        raise Refused(f"{folder / name} is not the file that was promoted; restore it")
    return data


def files_below(listing: Mapping[str, str], folder: str) -> dict[str, str]:
    return {name: digest for name, digest in listing.items() if name.startswith(f"{folder}/")}


def release_digest(listing: dict[str, str]) -> str:
    """Return the SHA-256 that identifies a whole release.

    The digested document is built by hand rather than serialised from the model `Files`. Otherwise, a field that a
    later version adds to the model would change the digests of existing releases.
    """
    return files.sha256_bytes(canonical_json({"type": TYPE, "files": listing}))


def payload_digest(payload: Path) -> str:
    """Return the digest of a payload. It equals the result of `tasks.core.files.tree_digest`.

    Raises:
        Refused: The payload contains a link, pipe, device or empty folder.
    """
    return files.sha256_bytes(canonical_json(list_digests(payload)))


def part_digest(listing: dict[str, str], folder: str) -> str:
    digests = {name.removeprefix(f"{folder}/"): digest for name, digest in files_below(listing, folder).items()}
    return files.sha256_bytes(canonical_json(digests))


def package_digest(listing: dict[str, str]) -> str:
    """Return the digest of artefacts/package, which the release gate approved, computed from a release's files."""
    digests = files_below(listing, PAYLOAD) | {"result.json": listing.get(f"{ATTESTATIONS}/result.json", "")}
    return files.sha256_bytes(canonical_json(digests))
