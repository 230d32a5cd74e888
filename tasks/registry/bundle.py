"""A release as a folder: `payload/`, which people decided on, and `attestations/`, which prove it.

    payload/                    artefacts/package/payload of the run
    attestations/
        evidence/GATE.json      what each gate looked at
        decisions/GATE/NN.json  what people signed there, in the order of the ledger
        gates/GATE.json         the gate's statement
        results/GATE.json       the gate as an in-toto test result (gate_results.py)
        governance/NNNN.json    the adoptions of policy and people, from the root key on: whose keys count for what
        policy.json people.json the policy in force, and the keys and roles of those who decided or asked for the run
        request.json            the request for the run, as whoever asked for it signed it
        result.json             of stage `package`: with payload/ it gives the subject of the release gate
        model.sig               OpenSSF Model Signing over the payload, by model-signing.pub (model_signature.py)
        provenance.json         where it comes from, as SLSA provenance (provenance.py)
        summary.json            that it was verified, as an SLSA verification summary (summary.py)
        promotion.json          the promotion statement, which lists every other file
        ledger.json             that the promotion is in the ledger (recorded.py): comes later, so nothing lists it
        left-out.json           in a copy without its weights alone: which these are (left_out.py)

A bundle is built aside and renamed, so that one under its own name is whole.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks import files
from tasks.govern import dsse
from tasks.govern.identity import keys
from tasks.govern.rules.governance import Governance
from tasks.registry import contents, gate_results, model_signature, provenance, summary
from tasks.registry.candidate import Candidate
from tasks.registry.succession import Promotion

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
REQUEST = provenance.REQUEST


def folder(state: Path, label: str) -> Path:
    """Where the bundle of a release lies."""
    return state / RELEASES / label


def aside(state: Path, label: str) -> Path:
    """Where it is built."""
    return state / RELEASES / f".building-{label}"


def build(candidate: Candidate, draft: Promotion, governance: Governance, target: Path) -> dict[str, str]:
    """Write everything but the promotion statement, of which `draft` lacks the files yet, to `target`.

    Returns `listing(target)`. Raises Refused where the payload holds what no release may.
    """
    shutil.rmtree(target, ignore_errors=True)
    _copy(candidate.layout.stage("package") / PAYLOAD, target / PAYLOAD)
    attestations = target / ATTESTATIONS
    _copy_file(candidate.layout.stage("package") / "result.json", attestations / "result.json")
    for gate, passed in candidate.gates.items():
        _write(attestations / "evidence" / f"{gate}.json", passed.evidence.model_dump(mode="json"))
        dsse.write(attestations / "gates" / f"{gate}.json", passed.statement)
        for number, envelope in enumerate(passed.decisions, start=1):
            dsse.write(attestations / "decisions" / gate / f"{number:02}.json", envelope)
    for number, envelope in enumerate(governance.chain, start=1):
        dsse.write(target / GOVERNANCE / f"{number:04}.json", envelope)
    _write(attestations / "policy.json", governance.policy.model_dump(mode="json"))
    _write(attestations / "people.json", [person.model_dump(mode="json") for person in candidate.people])
    dsse.write(target / REQUEST, candidate.asked.envelope)
    model_signature.sign(target / PAYLOAD, attestations, governance.state / "keys")
    _attest(candidate, draft, governance, target)
    contents.require_plain(listing(target))
    return listing(target)


def _attest(candidate: Candidate, draft: Promotion, governance: Governance, target: Path) -> None:
    """Say it again in forms that other tools read, over the digests of the payload's files."""
    signer = governance.signer("gate")
    gate_key = keys.fingerprint(signer.public_line)

    def write(name: str, predicate_type: str, subject: Mapping[str, str], predicate: Mapping[str, Any]) -> None:
        statement = dsse.statement(predicate_type, subject, predicate)
        dsse.write(target / name, dsse.sign(statement, signer))

    for gate, passed in candidate.gates.items():
        about = {passed.evidence.subject.stage: passed.evidence.subject.sha256}
        told = gate_results.predicate(passed.evidence, draft.approved_by[gate])
        write(gate_results.place(gate), gate_results.PREDICATE_TYPE, about, told)
    listed = listing(target)
    payload = part(listed, PAYLOAD)
    made = provenance.predicate(draft, candidate.manifest, candidate.dataset, listed, gate_key)
    write(provenance.PLACE, provenance.PREDICATE_TYPE, payload, made)
    write(summary.PLACE, summary.PREDICATE_TYPE, payload, summary.predicate(draft, listing(target), gate_key))


def add_promotion(target: Path, envelope: dict[str, Any]) -> None:
    """Write the promotion statement, and see to it that the whole bundle survives a power cut."""
    dsse.write(target / PROMOTION, envelope)
    for path in [*target.rglob("*"), target]:
        if path.is_file():
            path.chmod(0o444)
        _flush(path)


def publish(built: Path, target: Path) -> None:
    """Give a finished bundle its name."""
    built.rename(target)
    _flush(target.parent)


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
    """The SHA-256 that stands for a whole release."""
    return files.sha256_bytes(files.canonical_json(listing))


def part_digest(listing: dict[str, str], folder: str) -> str:
    """`tasks.files.tree_digest` of a folder of the bundle, from the digests of its files."""
    found = {name.removeprefix(f"{folder}/"): digest for name, digest in part(listing, folder).items()}
    return files.sha256_bytes(files.canonical_json(found))


def package_digest(listing: dict[str, str]) -> str:
    """`tasks.files.tree_digest` of artefacts/package, the subject of the release gate."""
    found = part(listing, PAYLOAD) | {"result.json": listing.get(f"{ATTESTATIONS}/result.json", "")}
    return files.sha256_bytes(files.canonical_json(found))


def _copy(source: Path, target: Path) -> None:
    for name in contents.names(source):
        _copy_file(source / name, target / name)


def _copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target, follow_symlinks=False)


def _write(path: Path, value: Any) -> None:
    files.write_bytes(path, files.canonical_json(value))


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
