"""Ledger entries of a run: its resolution, each stage with inputs and outputs, its evaluation, interruptions, its end.

The flow writes them with installed code, because stages cannot access the ledger. A call that is repeated after a kill
or a resume returns the existing entry. If the ledger is unavailable, the functions raise Unavailable, and the run stops
until `hallmark run --resume`.
"""

from collections.abc import Mapping
from typing import Any

from tasks.core import facts, files
from tasks.core.errors import Refused
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.core.params.params import Params
from tasks.core.version import OLDEST_RESUMABLE_VERSION, UNKNOWN_VERSION, VERSION, minor_version
from tasks.ledger.ledger import Entry, Ledger
from tasks.runs.outputs import dvc_lock
from tasks.runs.outputs.dvc import INGEST_STAGE, StageOutcome
from tasks.sources import resolved_sources
from tasks.trust import stage_record

RESOLVED_KIND, STAGE_KIND, EVALUATED_KIND, INTERRUPTED_KIND, ENDED_KIND, CLEANED_KIND = (
    "run.resolved",
    stage_record.STAGE_ENTRY_KIND,
    "evaluation.made",
    "run.interrupted",
    "run.ended",
    "run.cleaned",
)
"""Kinds of ledger entries about a run. The subject of each entry is the run id."""
TAKEN_KIND, PASSED_OVER_KIND = "occasion.taken", "occasion.passed_over"
"""Kinds of the ledger entries with which schedules and triggers request runs, or say why they request none. The subject
of each entry is the occasion."""
INPUT_FOLDERS = ("artefacts/", "inputs/", "gates/")
"""Folders with a stage's inputs other than code and parameters."""


def record_resolution(ledger: Ledger, layout: Layout, run: str) -> Entry:
    """Record that a run was resolved, with the digests of its tree, parameters, inputs and sources.

    Raises:
        Refused: Parameters or inputs have changed since they were recorded, or this version of Hallmark cannot continue
            the run.
    """
    now = {"params.yaml": files.sha256_file(layout.params_path)}
    now |= {f"inputs/{name}": sha256 for name, sha256 in files.tree_manifest(layout.inputs_folder).items()}
    with ledger.transaction():
        for entry in ledger.entries(RESOLVED_KIND, run)[:1]:
            _require_compatible_entry(entry)
            before = entry.body["files"]
            if changed := sorted(name for name in {*before, *now} if before.get(name) != now.get(name)):
                raise Refused(
                    f"run {run}: {', '.join(changed)} changed since the run was resolved; restore them from its first "
                    "commit, or start a new run"
                )
            return entry
        whole = files.read_json(layout.code_path)["tree_sha256"]
        read = {"tree_sha256": whole, "files": now, "sources": _source_digests(layout)}
        return ledger.append(RESOLVED_KIND, run, read | {"hallmark": VERSION})


def require_compatible_version(ledger: Ledger, run: str) -> None:
    """Verify that this version of Hallmark can continue a run that another version began.

    Raises:
        Refused: The run was begun by a newer version, or by a version that is too old.
    """
    for entry in ledger.entries(RESOLVED_KIND, run)[:1]:
        _require_compatible_entry(entry)


def _require_compatible_entry(resolved: Entry) -> None:
    by = resolved.body.get("hallmark")
    if minor_version(OLDEST_RESUMABLE_VERSION) <= minor_version(by) <= minor_version(VERSION):
        return
    later = minor_version(by) > minor_version(VERSION)
    do = f"go on with it in Hallmark {by}" if later else "start it anew with `hallmark run`"
    raise Refused(
        f"run {resolved.subject} was begun by Hallmark {by or UNKNOWN_VERSION}, and this is {VERSION}, which digests "
        f"the work of a run otherwise (CHANGELOG.md says what changed); {do}"
    )


def record_stage(ledger: Ledger, layout: Layout, run: str, outcome: StageOutcome) -> Entry:
    """Record that a stage succeeded, with the digests of its inputs and outputs. Code and parameters are left out.

    Digests of files and folders are the MD5 digests of dvc.lock, and those of sources are SHA-256 digests. The
    entry's field `envelope` holds the stage record that the supervisor signed.
    """
    locked = _lock_entry(layout, outcome.stage)
    read = {item["path"]: item["md5"] for item in locked.get("deps", []) if item["path"].startswith(INPUT_FOLDERS)}
    if outcome.stage == INGEST_STAGE:
        read |= {f"source/{name}": sha256 for name, sha256 in _source_digests(layout).items()}
    said = {"stage": outcome.stage, "outputs": _outputs_digest(locked), "read": read}
    signed = {"envelope": outcome.record.envelope} if outcome.record else {}
    how = {"cached": outcome.cached, "seconds": round(outcome.seconds, 2)}
    return _append_if_new(ledger, STAGE_KIND, run, said | signed, how, "stage")


def is_stage_recorded(ledger: Ledger, layout: Layout, run: str, stage: str) -> bool:
    """Return whether the newest entry of a stage has a signed record and the same outputs as dvc.lock."""
    of_stage = [entry.body for entry in ledger.entries(STAGE_KIND, run) if entry.body.get("stage") == stage]
    locked = dvc_lock.read_stage_entry(layout.root, stage)
    return bool(
        of_stage and locked and "envelope" in of_stage[-1] and of_stage[-1]["outputs"] == _outputs_digest(locked)
    )


def require_recorded_outputs(ledger: Ledger, layout: Layout, run: str) -> None:
    """Verify that the ledger has an entry for every output in a dvc.lock that was fetched from another machine.

    Raises:
        Refused: dvc.lock names an output for which the ledger has no entry.
    """
    for name in dvc_lock.stage_names(layout.root):
        known = [
            entry.body.get("outputs") for entry in ledger.entries(STAGE_KIND, run) if entry.body.get("stage") == name
        ]
        if _outputs_digest(_lock_entry(layout, name)) not in known:
            raise Refused(
                f"run {run}: dvc.lock names other outputs of stage {name} than the ledger has; push the run's ref to "
                "the remote again from the machine that made it"
            )


def record_evaluation(ledger: Ledger, layout: Layout, run: str, params: Params) -> Entry:
    """Record the evaluation of a candidate: the digest of all metrics, and the values of the success metrics."""
    measured = facts.read_facts(layout.artefacts("evaluate") / "result.json")
    judged = {metric.fact.removeprefix("evaluate.") for metric in params.use_case.success_metrics}
    figures = {
        name: fact.model_dump(include={"value", "low", "high"}) for name, fact in measured.items() if name in judged
    }
    return _append_if_new(
        ledger, EVALUATED_KIND, run, {"sha256": files.tree_digest(layout.artefacts("evaluate")), "figures": figures}
    )


def record_interruption(ledger: Ledger, run: str, crashes: int, goes_on: bool) -> Entry:
    """Record that the process of a run has died.

    Args:
        ledger: Ledger to which the entry is appended.
        run: Id of the run.
        crashes: Number of times that a process of this run has died.
        goes_on: Whether the run is resumed without a person.
    """
    return _append_if_new(ledger, INTERRUPTED_KIND, run, {"crashes": crashes, "goes_on": goes_on})


def record_end(ledger: Ledger, run: str, status: str, commit: str | None, release: str | None) -> Entry:
    """Record the status with which a run ended. A failed run can be resumed, and then gets another entry."""
    return _append_if_new(ledger, ENDED_KIND, run, {"status": status, "commit": commit, "release": release})


def is_run_of_occasion(ledger: Ledger, run: str) -> bool:
    """Return whether a schedule or trigger requested a run.

    The ledger has no `run.requested` of such a run before it begins. If it fails before that, its end has to be
    recorded all the same, or the run would count as open.
    """
    return any(entry.body.get("run") == run for entry in ledger.newest_first(TAKEN_KIND))


def record_cleaning(ledger: Ledger, run: str, installation: str, status: str, size: int) -> Entry:
    """Record that the files of a run are removed on this machine; `size` is in bytes."""
    said = {"installation": installation, "status": status}
    return _append_if_new(ledger, CLEANED_KIND, run, said, {"bytes": size})


def _append_if_new(
    ledger: Ledger,
    kind: str,
    run: str,
    content: Mapping[str, Any],
    uncompared: Mapping[str, Any] | None = None,
    key_field: str = "",
) -> Entry:
    """Append an entry unless the newest entry has the same content.

    Args:
        ledger: Ledger to which the entry is appended.
        kind: Kind of the entry.
        run: Subject of the entry.
        content: Content that is compared with the newest entry.
        uncompared: Values that are stored but not compared.
        key_field: Name of a field of the content. If given, only entries with the same value of this field are
            compared.
    """
    with ledger.transaction():
        known = [
            entry
            for entry in ledger.entries(kind, run)
            if not key_field or entry.body.get(key_field) == content[key_field]
        ]
        if known and {name: known[-1].body.get(name) for name in content} == content:
            return known[-1]
        return ledger.append(kind, run, {**content, **(uncompared or {})})


def _source_digests(layout: Layout) -> dict[str, str]:
    return {item.source.id: item.sha256 for item in resolved_sources.load_resolved(layout.sources_path).sources}


def _outputs_digest(locked: dict[str, Any]) -> str:
    digests = {item["path"]: item["md5"] for item in locked.get("outs", [])}
    return files.sha256_bytes(canonical_json(digests))


def _lock_entry(layout: Layout, stage: str) -> dict[str, Any]:
    if (locked := dvc_lock.read_stage_entry(layout.root, stage)) is None:
        raise Refused(f"{layout.root / 'dvc.lock'} says nothing of stage {stage}, which has just ended")
    return locked
