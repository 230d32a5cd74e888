"""A run as MLflow shows it: one MLflow run of the same name, with where it stands, its parameters, curve and figures.

It is told from the journal, from the records that supervisors signed, and from what these say that stages left: a file
with another digest shows nothing. MLflow only shows it; nobody reads it back. A run is there from its training on.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core import config, facts, files
from tasks.core.layout import Layout
from tasks.gates import chain
from tasks.registry.history.declared import flat
from tasks.registry.promote import mirror
from tasks.runs.journal import Journal
from tasks.runs.run import open_run
from tasks.stages.train import tracking
from tasks.stages.train.tracking import RUN
from tasks.trust.stage_record import CODE, SignedRecord

TRAIN = "train"
STATED = (
    ("train", "artefacts/train/result.json", "train."),
    ("train", "measured/train/facts.json", "measured.train."),
    ("evaluate", "artefacts/evaluate/result.json", "evaluate."),
    ("predict@candidate", "measured/predict/candidate/facts.json", "measured.predict."),
)
"""Which files of a stage state figures, and how their names begin, as gates name them."""
SECTIONS = ("training", "data", "evaluation", "base_model", "prompts")
MOST = 500
"""Characters of a value that is shown; MLflow takes no more of a parameter everywhere."""
STRANGE = re.compile(r"[^\w\-./: ]")
"""What MLflow takes in no name: brackets of items of a list, say."""
STATUS = {"promoted": "FINISHED", "unchanged": "FINISHED", "experiment": "FINISHED", "failed": "FAILED",
          "interrupted": "KILLED"}  # fmt: skip
"""MLflow's word for how a run stands; of one that goes on or waits, RUNNING."""


@dataclass(frozen=True)
class Picture:
    """All that MLflow is told of a run."""

    run: str
    use_case: str
    status: str
    """In MLflow's words."""
    trains: bool
    """It is in its training, which makes the MLflow run itself and sends the curve."""
    tags: Mapping[str, str]
    params: Mapping[str, str]
    figures: Mapping[str, float]
    curve: list[dict[str, Any]]
    """Of a training that has ended."""


def picture(root: Path, known: Journal) -> Picture | None:
    """What there is to show of a run, by its journal; None before its training. Raises as `open_run`."""
    line = known.stages.get(TRAIN)
    if line is None:
        return None
    run = open_run(root, known.run)
    records = chain.of_run(run.ledger(), run.governance(), run.id)
    text = config.read_plain(run.layout.params)
    params = flat({name: text[name] for name in SECTIONS if name in text})
    return Picture(
        run=run.id,
        use_case=run.params.use_case.name,
        status=STATUS.get(known.status, "RUNNING"),
        trains=line.state == "running",
        tags=_tags(known, run.params.use_case.risk_tier, run.request.commit, records),
        params={STRANGE.sub("_", name): str(value)[:MOST] for name, value in params},
        figures=dict(_figures(run.layout, records)),
        curve=_curve(run.layout, records),
    )


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
        said["data"] = split.left.get("artefacts/split/train.parquet", "")
    if trained := records.get(TRAIN):
        said |= {"code": trained.said.inputs.get(CODE, ""), "inputs": trained.said.inputs_sha256}
    return {RUN: known.run} | {f"hallmark.{name}": value[:MOST] for name, value in said.items() if value}


def _figures(layout: Layout, records: Mapping[str, SignedRecord]) -> Iterator[tuple[str, float]]:
    """Every figure, and the ends of its interval."""
    for stage, name, prefix in STATED:
        if (said := _signed(layout, records.get(stage), name)) is None:
            continue
        for fact, it in facts.parse(said["facts"]).items():
            yield f"{prefix}{fact}", float(it.value)
            if it.low is not None and it.high is not None:
                yield f"{prefix}{fact}.low", it.low
                yield f"{prefix}{fact}.high", it.high


def _curve(layout: Layout, records: Mapping[str, SignedRecord]) -> list[dict[str, Any]]:
    return list(_signed(layout, records.get(TRAIN), "artefacts/train/curve.json") or [])


def _signed(layout: Layout, record: SignedRecord | None, name: str) -> Any:
    """What a file says, where its digest is the one that was signed; else None."""
    path = layout.root / name
    if record is None or not path.is_file() or record.left.get(name) != files.sha256_file(path):
        return None
    return files.read_json(path)


def show(root: Path, it: Picture) -> bool:
    """Make MLflow's run say so. False where that is not there yet: its training makes it.

    Raises Unavailable where MLflow is away.
    """
    layout = Layout(root)
    with mirror.Registry(layout.state, tracking.tracking_uri(layout)) as client:
        key = tracking.experiment(client, it.use_case, layout)
        known = tracking.find(client, key, it.run)
        if known is None and it.trains:
            return False
        known = known or client.create_run(key, tags={RUN: it.run}, run_name=it.run)
        _say(client, known, it)
        _curve_of(client, known, it)
        _stands(client, known, it.status)
    return True


def _say(client: Any, known: Any, it: Picture) -> None:
    """Tags, parameters and figures that it has not, or has otherwise; MLflow takes a parameter once."""
    from mlflow.entities import Metric, Param, RunTag

    had, now = known.data, int(known.info.start_time)
    tags = [RunTag(name, value) for name, value in it.tags.items() if had.tags.get(name) != value]
    params = [Param(name, value) for name, value in it.params.items() if name not in had.params]
    figures = [Metric(name, value, now, 0) for name, value in it.figures.items() if had.metrics.get(name) != value]
    for part in ({"tags": tags}, *({"params": some} for some in _hundreds(params)), {"metrics": figures}):
        client.log_batch(known.info.run_id, **part)


def _hundreds(items: list[Any]) -> Iterator[list[Any]]:
    """MLflow takes no more parameters at once."""
    yield from (items[start : start + 100] for start in range(0, len(items), 100))


def _curve_of(client: Any, known: Any, it: Picture) -> None:
    """The curve of a training that was taken from the cache: nobody has sent it."""
    if it.curve and not it.trains and "loss" not in known.data.metrics:
        for start in range(0, len(it.curve), 250):
            client.log_batch(known.info.run_id, metrics=tracking.metrics(it.curve[start : start + 250]))


def _stands(client: Any, known: Any, status: str) -> None:
    if known.info.status == status:
        return
    if status == "RUNNING":
        client.update_run(known.info.run_id, status)
    else:
        client.set_terminated(known.info.run_id, status)
