"""Synchronisation of a run with MLflow: one MLflow run of the same name, with status, parameters, curve and metrics.

The content comes from the journal, from signed stage records, and from files whose digests are in these records. A file
with another digest is not shown. MLflow only displays the content; Hallmark never reads it back. A run appears in
MLflow when its training begins.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core import facts, files
from tasks.core.documents import config
from tasks.core.documents.document import document_error_message
from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.gates import record_chain
from tasks.registry.history.release_contents import flatten_settings
from tasks.registry.promote import mlflow_mirror
from tasks.runs.journal import Journal
from tasks.runs.reporting import mlflow_runs, training_curve
from tasks.runs.reporting.mlflow_runs import RUN_TAG
from tasks.runs.reporting.training_curve import CurvePoint
from tasks.runs.run import open_run
from tasks.trust.stage_record import CODE_MATERIAL, SignedRecord

TRAIN_STAGE = "train"
METRIC_FILES = (
    ("train", "artefacts/train/result.json", "train."),
    ("train", "measured/train/facts.json", "measured.train."),
    ("evaluate", "artefacts/evaluate/result.json", "evaluate."),
    ("suites", "artefacts/suites/result.json", "suites."),
    ("predict@candidate", "measured/predict/candidate/facts.json", "measured.predict."),
)
"""Files with metrics, each with its stage and the prefix of its metric names. Gates use the same names."""
SHOWN_PARAMETER_SECTIONS = ("training", "data", "evaluation", "base_model", "prompts")
MAX_VALUE_LENGTH = 500
"""Maximum number of characters in a tag or parameter. Some versions of MLflow reject longer parameters."""
MAX_POINTS = 250_000
FORBIDDEN_CHARACTERS = re.compile(r"[^\w\-.: ]")
"""Pattern of characters that MLflow does not accept in a name, such as brackets, or that it treats as a path
separator."""
MAX_NAME_LENGTH = 200
"""Maximum number of characters in a name. MLflow's own limit is slightly higher."""
MLFLOW_STATUS_BY_JOURNAL_STATUS = {
    "promoted": "FINISHED",
    "unchanged": "FINISHED",
    "experiment": "FINISHED",
    "failed": "FAILED",
    "interrupted": "KILLED",
}
"""MLflow's run status by journal status. Every other journal status is shown as RUNNING."""


@dataclass(frozen=True)
class MlflowContent:
    run: str
    use_case: str
    status: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    points_file: Path | None
    """File with the points of the training curve; None if there is none. After the training, the file must have the
    signed digest."""
    curve_points: list[CurvePoint]
    """Training curve of a run that has no file of points, because an earlier version of Hallmark executed it; empty for
    all other runs."""


@dataclass
class SentCurve:
    last_step: int | None = None
    """Last training step that MLflow has; None until MLflow has been queried."""
    bytes_read: int = 0
    """Number of bytes of the curve file that have been read."""


def read_mlflow_content(root: Path, journal: Journal) -> MlflowContent | None:
    """Return the content that MLflow shows for a run; None before the run's training begins.

    Raises:
        InputError: The run is not in this checkout.
        Refused: The ledger has no request for the run, or its request differs from the one in the worktree.
    """
    line = journal.stages.get(TRAIN_STAGE)
    if line is None:
        return None
    run = open_run(root, journal.run)
    records = record_chain.records_of_run(run.ledger(), run.governance(), run.id)
    text = config.read_plain_yaml(run.layout.params_path)
    params = flatten_settings({name: text[name] for name in SHOWN_PARAMETER_SECTIONS if name in text})
    points = _points(run.layout, records, trains=line.state == "running")
    return MlflowContent(
        run=run.id,
        use_case=run.params.use_case.name,
        status=MLFLOW_STATUS_BY_JOURNAL_STATUS.get(journal.status, "RUNNING"),
        tags=_tags(journal, run.params.use_case.risk_tier, run.request.commit, records),
        params={_mlflow_name(name): str(value)[:MAX_VALUE_LENGTH] for name, value in params},
        metrics={_mlflow_name(name): value for name, value in _figures(run.layout, records)},
        points_file=points,
        curve_points=[] if points else _curve(run.layout, records),
    )


def _mlflow_name(name: str) -> str:
    """Shorten a name and replace characters that MLflow rejects. A rejected name would block updates of other runs."""
    return FORBIDDEN_CHARACTERS.sub("_", name)[:MAX_NAME_LENGTH]


def _tags(known: Journal, tier: str, commit: str, records: Mapping[str, SignedRecord]) -> dict[str, str]:
    said = {
        "use_case": known.use_case,
        "tier": tier,
        "stage": next(reversed(known.stages), ""),
        "status": known.status,
        "release": known.release or "",
        "requested_by": known.requested_by,
        "reason": known.reason or "",
        "demo": str(known.demo).lower(),
        "commit": commit,
    }
    said |= {f"gate.{name}": gate.state for name, gate in known.gates.items()}
    if split := records.get("split"):
        said["data"] = split.outputs.get("artefacts/split/train.parquet", "")
    if trained := records.get(TRAIN_STAGE):
        said |= {"code": trained.record.inputs.get(CODE_MATERIAL, ""), "inputs": trained.record.inputs_sha256}
    return {RUN_TAG: known.run} | {
        f"hallmark.{name}": value[:MAX_VALUE_LENGTH] for name, value in said.items() if value
    }


def _figures(layout: Layout, records: Mapping[str, SignedRecord]) -> Iterator[tuple[str, float]]:
    for stage, name, prefix in METRIC_FILES:
        if not _is_signed(layout, records.get(stage), name):
            continue
        for fact, it in facts.read_facts(layout.root / name).items():
            yield f"{prefix}{fact}", float(it.value)
            if it.low is not None and it.high is not None:
                yield f"{prefix}{fact}.low", it.low
                yield f"{prefix}{fact}.high", it.high


def _points(layout: Layout, records: Mapping[str, SignedRecord], trains: bool) -> Path | None:
    path = layout.root / training_curve.CURVE_PATH
    shown = path.is_file() if trains else _is_signed(layout, records.get(TRAIN_STAGE), training_curve.CURVE_PATH)
    return path if shown else None


def _curve(layout: Layout, records: Mapping[str, SignedRecord]) -> list[CurvePoint]:
    name = "artefacts/train/curve.json"
    if not _is_signed(layout, records.get(TRAIN_STAGE), name):
        return []
    try:
        return training_curve.read_curve(layout.root / name)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{layout.root / name}: expected a list of a curve's points ({document_error_message(error)})"
        ) from None


def _is_signed(layout: Layout, record: SignedRecord | None, name: str) -> bool:
    """Return whether a file has the digest in the signed stage record.

    A large file counts as unsigned, because computing its digest would delay the other runs.
    """
    path = layout.root / name
    if record is None or not path.is_file() or path.stat().st_size > files.MAX_STAGE_JSON_BYTES:
        return False
    return record.outputs.get(name) == files.sha256_file(path)


def update_mlflow(root: Path, content: MlflowContent, sent: SentCurve) -> None:
    """Create or update the MLflow run that shows a run.

    Raises:
        Unavailable: MLflow cannot be reached.
    """
    layout = Layout(root)
    with mlflow_mirror.RegistryClient(layout.state, mlflow_runs.tracking_uri(layout)) as client:
        key = mlflow_runs.find_or_create_experiment(client, content.use_case, layout)
        known = mlflow_runs.find_run(client, key, content.run)
        known = known or client.create_run(key, tags={RUN_TAG: content.run}, run_name=content.run)
        _log_values(client, known, content)
        _log_curve(client, known.info.run_id, content, sent)
        _set_status(client, known, content.status)


def _log_values(client: Any, mlflow_run: Any, content: MlflowContent) -> None:
    """Log tags, parameters and metrics that are new or have changed. MLflow accepts each parameter only once."""
    from mlflow.entities import Metric, Param, RunTag

    had, now = mlflow_run.data, int(mlflow_run.info.start_time)
    tags = [RunTag(name, value) for name, value in content.tags.items() if had.tags.get(name) != value]
    params = [Param(name, value) for name, value in content.params.items() if name not in had.params]
    figures = [Metric(name, value, now, 0) for name, value in content.metrics.items() if had.metrics.get(name) != value]
    for part in ({"tags": tags}, *({"params": some} for some in _batches_of_100(params)), {"metrics": figures}):
        client.log_batch(mlflow_run.info.run_id, **part)


def _batches_of_100(items: list[Any]) -> Iterator[list[Any]]:
    """Yield batches of 100, the maximum number of parameters that MLflow accepts in one request."""
    yield from (items[start : start + 100] for start in range(0, len(items), 100))


def _log_curve(client: Any, run_id: str, content: MlflowContent, sent: SentCurve) -> None:
    """Log the curve points that MLflow lacks.

    A training run that resumes from a checkpoint repeats its last points, which are skipped here.
    """
    if sent.last_step is None:
        sent.last_step = max((point.step for point in client.get_metric_history(run_id, "loss")), default=0)
    logged, more = 0, True
    while more and logged < MAX_POINTS:
        points, offset = (
            training_curve.read_points(content.points_file, sent.bytes_read)
            if content.points_file
            else (content.curve_points, sent.bytes_read)
        )
        new = [point for point in points if point.step > (sent.last_step or 0)]
        mlflow_runs.log_points(client, run_id, new)
        more, logged = offset != sent.bytes_read, logged + len(new)
        sent.last_step, sent.bytes_read = max([sent.last_step or 0, *(point.step for point in new)]), offset


def _set_status(client: Any, known: Any, status: str) -> None:
    if known.info.status == status:
        return
    if status == "RUNNING":
        client.update_run(known.info.run_id, status)
    else:
        client.set_terminated(known.info.run_id, status)
