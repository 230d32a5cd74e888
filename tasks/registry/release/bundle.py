"""A release as a folder: `payload/`, which people decided on, and `attestations/`, which prove it.

    payload/                    artefacts/package/payload of the run
    attestations/
        evidence/GATE.json      what each gate looked at
        decisions/GATE/NN.json  what people signed there, in the order of the ledger
        gates/GATE.json         the gate's statement
        declarations/NN.json    what owners signed who adopted its sources and its card
        code/NN.json            what people signed who let runs be made of its version of the code
        stages/STAGE.json       the record of each stage: what it read and left, signed by the worker
        again/STAGE/NN.json     records of the same by other machines
        results/GATE.json       the gate as an in-toto test result (gate_results.py)
        governance/NNNN.json    the adoptions of policy and people, from the root key on: whose keys count for what
        policy.json people.json the policy in force, and the keys and roles of those who decided or asked for the run:
                                copies out of the last adoption, whose type is theirs
        request.json            the request for the run, as whoever asked for it signed it
        result.json             of stage `package`: with payload/ it gives the subject of the release gate
        model.sig               OpenSSF Model Signing over the payload, by model-signing.pub (model_signature.py)
        provenance.json         where it comes from, as SLSA provenance (provenance.py)
        summary.json            that it was verified, as an SLSA verification summary (summary.py)
        promotion.json          the promotion statement, which lists every other file
        ledger.json             that the promotion is in the ledger (recorded.py): comes later, so nothing lists it
        left-out.json           in a copy without its weights alone: which these are (left_out.py)

`tasks.registry.promote.assembly` builds one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from tasks.core import files
from tasks.core.document import Document
from tasks.core.params.values import Sha256
from tasks.registry.release import contents, provenance

TYPE: Final = "urn:hallmark:release:v1"
RELEASES = "releases"
"""Folder below `.hallmark/`."""
PAYLOAD, ATTESTATIONS = "payload", "attestations"
PROMOTION = f"{ATTESTATIONS}/promotion.json"
LEDGER = f"{ATTESTATIONS}/ledger.json"
LEFT_OUT = f"{ATTESTATIONS}/left-out.json"
UNLISTED = {PROMOTION, LEDGER, LEFT_OUT}
"""Files that the promotion statement does not list."""
GOVERNANCE = f"{ATTESTATIONS}/governance"
"""Empty and so not there where nothing was adopted: under proposed files, in environment `local`."""
STAGES = f"{ATTESTATIONS}/stages"
"""Not there in a release of a version that recorded none."""
DECLARATIONS = f"{ATTESTATIONS}/declarations"
"""Not there where nobody adopted any, which environment `local` allows."""
AGAIN = f"{ATTESTATIONS}/again"
"""Not there where no other machine built the run again."""
CODE = f"{ATTESTATIONS}/code"
"""Not there where nobody signed the code off, which environment `local` allows."""
REQUEST = provenance.REQUEST


class Files(Document):
    """The SHA-256 of every file that a promotion statement lists, by path in the bundle: what stands for a release."""

    type: Literal["urn:hallmark:release:v1"] = TYPE
    files: dict[str, Sha256]


def folder(state: Path, label: str) -> Path:
    """Where the bundle of a release lies."""
    return state / RELEASES / label


def listing(bundle: Path) -> dict[str, str]:
    """SHA-256 of every file that the promotion statement lists, by path in the bundle.

    Raises Refused for anything but plain files and the folders that hold them.
    """
    listed = sorted(set(contents.names(bundle)) - UNLISTED)
    return {name: files.sha256_file(bundle / name) for name in listed}


def part(listing: Mapping[str, str], folder: str) -> dict[str, str]:
    """The files of one folder of the bundle, under their paths in the bundle."""
    return {name: digest for name, digest in listing.items() if name.startswith(f"{folder}/")}


def release_digest(listing: dict[str, str]) -> str:
    """The SHA-256 that stands for a whole release, of `Files` as this version of it is spelled: made anew from its
    model, it would change with a field that a later one has."""
    return files.sha256_bytes(files.canonical_json({"type": TYPE, "files": listing}))


def payload_digest(payload: Path) -> str:
    """`tasks.core.files.tree_digest` of a payload. Raises Refused for anything but plain files and their folders."""
    return files.sha256_bytes(files.canonical_json(listing(payload)))


def part_digest(listing: dict[str, str], folder: str) -> str:
    """`tasks.core.files.tree_digest` of a folder of the bundle, from the digests of its files."""
    digests = {name.removeprefix(f"{folder}/"): digest for name, digest in part(listing, folder).items()}
    return files.sha256_bytes(files.canonical_json(digests))


def package_digest(listing: dict[str, str]) -> str:
    """`tasks.core.files.tree_digest` of artefacts/package, the subject of the release gate."""
    digests = part(listing, PAYLOAD) | {"result.json": listing.get(f"{ATTESTATIONS}/result.json", "")}
    return files.sha256_bytes(files.canonical_json(digests))
