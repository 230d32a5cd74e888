"""Assembly of a release's bundle in a temporary folder, which is renamed when complete."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.core import files
from tasks.core.json_text import canonical_json
from tasks.policy.governance import Governance
from tasks.registry.promote.candidate import Candidate
from tasks.registry.release import contents, gate_results, model_signature, provenance, summary
from tasks.registry.release.bundle import (
    ATTESTATIONS,
    CODE_SIGNOFFS,
    DECLARATIONS,
    GOVERNANCE_ADOPTIONS,
    PAYLOAD,
    PROMOTION_STATEMENT,
    RELEASES_FOLDER,
    REPRODUCTION_RECORDS,
    RUN_REQUEST,
    STAGE_RECORDS,
    files_below,
    list_digests,
)
from tasks.registry.release.promotions import Promotion
from tasks.trust import dsse, keys


def building_folder(state: Path, label: str) -> Path:
    return state / RELEASES_FOLDER / f".building-{label}"


def undone_folder(state: Path, intent_entry: int) -> Path:
    """Return the folder to which the bundle of an undone promotion is renamed before it is removed.

    Args:
        state: Folder `.hallmark`.
        intent_entry: Number of the ledger entry that announced the promotion.
    """
    return state / RELEASES_FOLDER / f".undone-{intent_entry}"


def undone_folders(state: Path) -> list[Path]:
    return list((state / RELEASES_FOLDER).glob(".undone-*"))


def build_bundle(candidate: Candidate, draft: Promotion, governance: Governance, target: Path) -> dict[str, str]:
    """Write a release's bundle, except its promotion statement, to `target`.

    Args:
        candidate: Verified package with its gates.
        draft: Promotion statement without its list of files.
        governance: Governance in force.
        target: Folder to write; existing content is deleted.

    Returns:
        SHA-256 of every file, by path in the bundle.

    Raises:
        Refused: The payload contains a file that is not allowed in a release.
    """
    shutil.rmtree(target, ignore_errors=True)
    _copy_folder(candidate.layout.artefacts("package") / PAYLOAD, target / PAYLOAD)
    attestations = target / ATTESTATIONS
    _copy_file(candidate.layout.artefacts("package") / "result.json", attestations / "result.json")
    for gate, passed in candidate.gates.items():
        files.write_bytes(attestations / "evidence" / f"{gate}.json", passed.evidence.serialised)
        dsse.write_envelope(attestations / "gates" / f"{gate}.json", passed.statement)
        for number, envelope in enumerate(passed.decisions, start=1):
            dsse.write_envelope(attestations / "decisions" / gate / f"{number:02}.json", envelope)
    for folder, envelopes in (
        (DECLARATIONS, [signed.envelope for signed in candidate.adoptions]),
        (CODE_SIGNOFFS, [signed.envelope for signed in candidate.code_signoffs]),
    ):
        for number, envelope in enumerate(envelopes, start=1):
            dsse.write_envelope(target / folder / f"{number:02}.json", envelope)
    for name, record in candidate.stage_records.items():
        dsse.write_envelope(target / STAGE_RECORDS / f"{name}.json", record.envelope)
    for name, records in candidate.reproduction_records.items():
        for number, record in enumerate(records, start=1):
            dsse.write_envelope(target / REPRODUCTION_RECORDS / name / f"{number:02}.json", record.envelope)
    for number, envelope in enumerate(governance.chain, start=1):
        dsse.write_envelope(target / GOVERNANCE_ADOPTIONS / f"{number:04}.json", envelope)
    files.write_bytes(attestations / "policy.json", governance.policy.serialised)
    _write_json(attestations / "people.json", [person.model_dump(mode="json") for person in candidate.people])
    dsse.write_envelope(target / RUN_REQUEST, candidate.request.envelope)
    model_signature.sign_payload(target / PAYLOAD, attestations, governance.state / "keys")
    _write_attestations(candidate, draft, governance, target)
    contents.require_portable_names(list_digests(target))
    return list_digests(target)


def _write_attestations(candidate: Candidate, draft: Promotion, governance: Governance, target: Path) -> None:
    signer = governance.find_signer("gate")
    gate_key = keys.fingerprint(signer.public_line)

    def write(name: str, predicate_type: str, subject: Mapping[str, str], predicate: Mapping[str, Any]) -> None:
        statement = dsse.make_statement(predicate_type, subject, predicate)
        dsse.write_envelope(target / name, dsse.sign_statement(statement, signer))

    for gate, passed in candidate.gates.items():
        about = {passed.evidence.subject.stage: passed.evidence.subject.sha256}
        result = gate_results.result_predicate(passed.evidence, draft.approved_by[gate])
        write(gate_results.result_path(gate), gate_results.PREDICATE_TYPE, about, result)
    listed = list_digests(target)
    payload = files_below(listed, PAYLOAD)
    made = provenance.provenance_predicate(draft, candidate.manifest, candidate.dataset, listed, gate_key)
    write(provenance.PATH, provenance.PREDICATE_TYPE, payload, made)
    write(
        summary.PATH, summary.PREDICATE_TYPE, payload, summary.summary_predicate(draft, list_digests(target), gate_key)
    )


def add_promotion(target: Path, envelope: dict[str, Any]) -> None:
    """Write the promotion statement, make all files read-only, and flush the bundle to the disk."""
    dsse.write_envelope(target / PROMOTION_STATEMENT, envelope)
    for path in [*target.rglob("*"), target]:
        if path.is_file():
            path.chmod(0o444)
        _flush_to_disk(path)


def rename_to_final(built: Path, target: Path) -> None:
    built.rename(target)
    _flush_to_disk(target.parent)


def _copy_folder(source: Path, target: Path) -> None:
    for name in contents.file_names(source):
        _copy_file(source / name, target / name)


def _copy_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target, follow_symlinks=False)


def _write_json(path: Path, value: Any) -> None:
    files.write_bytes(path, canonical_json(value))


def _flush_to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
