"""A release as a folder: `payload/`, which people decided on, and `attestations/`, which prove it.

    payload/                    artefacts/package/payload of the run
    attestations/
        evidence/GATE.json      what each gate looked at
        decisions/GATE/NN.json  what people signed there, in the order of the ledger
        gates/GATE.json         the gate's statement
        policy.json people.json the policy in force, and the keys and roles of those who decided
        result.json             of stage `package`: with payload/ it gives the subject of the release gate
        provenance.json         run, commit and who asked for it
        promotion.json          the promotion statement, which lists every other file

A bundle is built aside and renamed, so that one under its own name is whole.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks import files
from tasks.errors import Refused
from tasks.govern import dsse
from tasks.govern.governance import Governance
from tasks.registry.candidate import Candidate

RELEASES = "releases"
"""Folder below `.hallmark/`."""
PAYLOAD, ATTESTATIONS = "payload", "attestations"
PROMOTION = f"{ATTESTATIONS}/promotion.json"
PROVENANCE_TYPE = "urn:hallmark:provenance:v1"


def folder(state: Path, label: str) -> Path:
    """Where the bundle of a release lies."""
    return state / RELEASES / label


def aside(state: Path, label: str) -> Path:
    """Where it is built."""
    return state / RELEASES / f".building-{label}"


def build(candidate: Candidate, commit: str, governance: Governance, target: Path) -> dict[str, str]:
    """Write everything but the promotion statement to `target`. Returns `listing(target)`."""
    shutil.rmtree(target, ignore_errors=True)
    _copy(candidate.layout.stage("package") / PAYLOAD, target / PAYLOAD)
    attestations = target / ATTESTATIONS
    _copy_file(candidate.layout.stage("package") / "result.json", attestations / "result.json")
    for gate, passed in candidate.gates.items():
        _write(attestations / "evidence" / f"{gate}.json", passed.evidence.model_dump(mode="json"))
        dsse.write(attestations / "gates" / f"{gate}.json", passed.statement)
        for number, envelope in enumerate(passed.decisions, start=1):
            dsse.write(attestations / "decisions" / gate / f"{number:02}.json", envelope)
    _write(attestations / "policy.json", governance.policy.model_dump(mode="json"))
    _write(attestations / "people.json", [person.model_dump(mode="json") for person in candidate.deciders])
    dsse.write(attestations / "provenance.json", _provenance(candidate, commit, governance, target))
    return listing(target)


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
    """SHA-256 of every file but the promotion statement, by path in the bundle.

    Raises Refused for anything but plain files and the folders that hold them.
    """
    digests = {name: files.sha256_file(bundle / name) for name in _plain(bundle) if name != PROMOTION}
    return dict(sorted(digests.items()))


def release_digest(listing: dict[str, str]) -> str:
    """The SHA-256 that stands for a whole release."""
    return files.sha256_bytes(files.canonical_json(listing))


def part_digest(listing: dict[str, str], folder: str) -> str:
    """`tasks.files.tree_digest` of a folder of the bundle, from the digests of its files."""
    prefix = f"{folder}/"
    part = {name.removeprefix(prefix): digest for name, digest in listing.items() if name.startswith(prefix)}
    return files.sha256_bytes(files.canonical_json(part))


def package_digest(listing: dict[str, str]) -> str:
    """`tasks.files.tree_digest` of artefacts/package, the subject of the release gate."""
    part = {name: digest for name, digest in listing.items() if name.startswith(f"{PAYLOAD}/")}
    part["result.json"] = listing.get(f"{ATTESTATIONS}/result.json", "")
    return files.sha256_bytes(files.canonical_json(part))


def _plain(bundle: Path) -> Iterator[str]:
    """Paths of all files. A link could lead out of the bundle, an empty folder is something that nothing lists."""
    for path in sorted(bundle.rglob("*")):
        name = path.relative_to(bundle).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise Refused(f"{name} is not a plain file; a release holds no links, pipes or devices")
        if path.is_file():
            yield name
        elif not any(path.iterdir()):
            raise Refused(f"{name} is an empty folder, which no release has")


def _copy(source: Path, target: Path) -> None:
    for name in _plain(source):
        _copy_file(source / name, target / name)


def _copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target, follow_symlinks=False)


def _write(path: Path, value: Any) -> None:
    files.write_bytes(path, files.canonical_json(value))


def _provenance(candidate: Candidate, commit: str, governance: Governance, target: Path) -> dict[str, Any]:
    predicate = {
        "run": candidate.run,
        "commit": commit,
        "requested_by": candidate.requested_by,
        "candidate_inputs": candidate.candidate_inputs,
        "policy_sha256": governance.policy.digest(),
    }
    statement = dsse.statement(PROVENANCE_TYPE, {PAYLOAD: files.tree_digest(target / PAYLOAD)}, predicate)
    return dsse.sign(statement, governance.gate_private_key())


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
