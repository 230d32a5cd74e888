"""Verification of a run's files against the signed records of its stages.

A gate accepts a file only if a signed stage record lists it as an output of the stage. The supervisor, which observes
the stage, signs the record.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress

from tasks.core import files
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import Refused
from tasks.core.graph import DVC_STAGES, EVIDENCE_STAGES, STAGES
from tasks.core.layout import Layout
from tasks.core.params.values import Sha256
from tasks.ledger.ledger import Ledger
from tasks.policy.governance import Governance
from tasks.supervise import materials
from tasks.trust import stage_record, validity
from tasks.trust.gate_statement import GateName
from tasks.trust.stage_record import SignedRecord

RESUME_COMMAND = "hallmark run --resume"


class RecordReference(FrozenModel):
    """Reference from evidence to a signed stage record."""

    sha256: Sha256
    """Digest of the signed record, computed by `dsse.digest`."""
    computed_in: str
    """Id of the run that executed the stage; an earlier run if the outputs came from the stage cache."""
    sandbox: str | None
    """Sandbox in which the stage ran; null if there was none, which only environment `local` accepts."""


def records_of_run(ledger: Ledger, governance: Governance, run: str) -> dict[str, SignedRecord]:
    """Return the newest valid record of each stage, by DVC stage name.

    Raises:
        InputError: The worker has no key in people.yaml although it needs one.
    """
    lines, found = validity.possible_key_lines(governance.keys_of("worker"), ledger.now()), {}
    for entry in ledger.entries(stage_record.STAGE_ENTRY_KIND, run):
        with suppress(Refused):  # for example signed by a key that was revoked since: the stage runs again
            record = stage_record.verify_record(entry.body.get("envelope", {}), lines)
            found[record.record.name] = record
    return found


def require_gate_records(
    gate: GateName, layout: Layout, run: str, ledger: Ledger, governance: Governance
) -> dict[str, SignedRecord]:
    """Verify the files that a gate's evidence covers against their stage records, and return the records.

    Raises:
        Refused: A record is missing, or the inputs or outputs of a stage differ from its record.
    """
    return require_stage_records(EVIDENCE_STAGES[gate], layout, run, ledger, governance)


def require_stage_records(
    stages: Iterable[str], layout: Layout, run: str, ledger: Ledger, governance: Governance
) -> dict[str, SignedRecord]:
    """Verify the inputs and outputs of stages against their stage records, and return the records.

    Raises:
        Refused: A record is missing, or the inputs or outputs of a stage differ from its record.
    """
    names = [name for stage in stages for name in STAGES[stage].dvc_names]
    return _verified_records(names, layout, records_of_run(ledger, governance, run), governance)


def require_all_records(layout: Layout, records: Mapping[str, SignedRecord], governance: Governance) -> None:
    _verified_records(DVC_STAGES, layout, records, governance)


def record_references(records: Mapping[str, SignedRecord]) -> dict[str, RecordReference]:
    return {
        name: RecordReference(
            sha256=record.sha256,
            computed_in=record.record.environment.run,
            sandbox=record.record.environment.sandbox,
        )
        for name, record in records.items()
    }


def _verified_records(
    names: Iterable[str], layout: Layout, records: Mapping[str, SignedRecord], governance: Governance
) -> dict[str, SignedRecord]:
    tree = files.read_json(layout.code_path)["tree_sha256"]
    for name in names:
        if why := _mismatch_reason(name, layout, records.get(name), tree, governance):
            raise Refused(f"stage {name}: {why}; {RESUME_COMMAND} {layout.root.name}")
    return {name: records[name] for name in names}


def _mismatch_reason(
    name: str, layout: Layout, record: SignedRecord | None, tree_sha256: str, governance: Governance
) -> str:
    if record is None:
        return "no signed record that counts says what it read and left"
    if record.record.tree_sha256 != tree_sha256:
        return "its record is of another tree than was asked for"
    if record.record.environment.sandbox is None and not governance.is_local:
        return f"it ran without a sandbox, which does not count in environment {governance.policy.environment}"
    if differ := _differing_paths(record.outputs, materials.output_digests(name, layout)):
        return f"{differ} changed since it was signed"
    if differ := _differing_paths(record.record.inputs, materials.material_digests(name, layout)):
        return f"it was made from other {differ}"
    return ""


def _differing_paths(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    differ = sorted(path for path in then.keys() | now.keys() if then.get(path) != now.get(path))
    return ", ".join(differ[:5])
