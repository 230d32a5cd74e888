"""Stage `train`: fine-tune the base model on the training split, behind the data gate.

Writes artefacts/train/ with `adapter/` (or `model/` for method full), `curve.json` and `result.json`, and
measured/train/facts.json. The same inputs give the same bytes.
"""

import shutil
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from tasks.core import facts, processor
from tasks.core.config import Frozen
from tasks.core.errors import InputError, Refused
from tasks.core.facts import Fact, Facts
from tasks.core.files import (
    canonical_json,
    read_json,
    sha256_bytes,
    sha256_file,
    whole_folder,
    write_json,
)
from tasks.core.layout import Layout
from tasks.core.params import methods
from tasks.core.params.prompts import Prompts
from tasks.core.params.resources import Resources
from tasks.core.params.training import LOOKS, Training
from tasks.core.progress import announce
from tasks.stages.cluster import connection, versions
from tasks.stages.cluster.storage import place
from tasks.stages.train import builders, early_stopping, equipment, watch
from tasks.stages.train.job import Job
from tasks.stages.train.keeping import sent
from tasks.stages.train.machines import fitting
from tasks.stages.train.points import FILE, Points
from tasks.stages.train.preflight import estimate, parts, room, shape, workload
from tasks.stages.train.recovery import attempts, checkpoints
from tasks.stages.train.recovery.attempts import Failure
from tasks.stages.train.rows import examples as on_disk
from tasks.stages.train.rows import tokenise
from tasks.stages.train.rows.examples import Examples
from tasks.stages.train.rows.order import Order
from tasks.trust.gate_statement import require_gate


class Result(Frozen):
    """What the trained weights are of; the same for the same inputs."""

    steps: int
    rows: int
    tokens: int
    """Tokens of all rows, over all epochs."""
    epochs: float
    final_loss: float
    """Mean over the target tokens of the last tenth of the steps."""
    skipped_steps: int = 0
    """Left out, since their loss was no number or leapt."""
    best_step: int | None = None
    """After which the weights were those of the result; null without validation rows: after the last."""
    validation_loss: float | None = None
    """Then, mean over the target tokens of the validation rows."""

    def facts(self) -> Facts:
        return {
            "steps": Fact(value=self.steps, note="optimizer steps"),
            "rows": Fact(value=self.rows, unit="rows"),
            "tokens": Fact(value=self.tokens, unit="tokens", note="of all rows, over all epochs"),
            "epochs": Fact(value=self.epochs),
            "final_loss": Fact(value=self.final_loss, note="per target token, over the last tenth of the steps"),
            "skipped_steps": Fact(value=self.skipped_steps, note="left out, since the loss was no number or leapt"),
            **self._validation(),
        }

    def _validation(self) -> Facts:
        if self.best_step is None or self.validation_loss is None:
            return {}
        return {
            "best_step": Fact(value=self.best_step, note="whose weights are the result"),
            "validation_loss": Fact(value=self.validation_loss, note="then, per target token of the validation rows"),
        }


@dataclass(frozen=True)
class Timing:
    """What one execution took; nothing depends on it."""

    seconds: float
    """Of the stage, Ray's start included."""
    tokens_per_second: float
    """Tokens of whole rows, while stepping; 0 if a checkpoint held every step."""
    peak_memory_gb: float
    """Of the largest worker; on a GPU of its memory."""
    fill: float | None
    """Share of the computed positions that hold a token; None if a checkpoint held every step."""
    mfu: float | None
    """Model FLOPs utilisation (`preflight/operations.py`), while stepping; None where the device's peak is unknown."""
    mfu_of: str
    """Where the device's peak comes from, in words."""
    shares: dict[str, float]
    """Of `seconds`, by what the first worker waited for (`shares.py`), and `failures` and `other`: Ray's start, loading
    and writing the weights. Of a training that went on, those of the steps since."""
    failures: tuple[Failure, ...]

    def facts(self) -> Facts:
        return {
            "seconds": Fact(value=round(self.seconds, 1), unit="s"),
            "tokens_per_second": Fact(value=round(self.tokens_per_second, 1), unit="tokens/s"),
            "peak_memory_gb": Fact(value=round(self.peak_memory_gb, 2), unit="GB", note="of the largest worker"),
            **({} if self.fill is None else {"fill": Fact(value=round(self.fill, 4), note=FILL)}),
            **({} if self.mfu is None else {"mfu": Fact(value=round(self.mfu, 4), note=f"{MFU} {self.mfu_of}")}),
            **{
                f"time_{part}": Fact(value=round(share, 4), note="share of `seconds`")
                for part, share in self.shares.items()
            },
            "failures": Fact(value=len(self.failures), note="workers lost or memory too small; it went on each time"),
            "seconds_lost": Fact(value=round(sum(each.seconds for each in self.failures), 1), unit="s", note="to them"),
        }


FILL = "share of the computed positions that hold a token; the others are padding, or wait for another worker"
MFU = "operations that the model needs (PaLM, appendix B; less for frozen weights), over the peak by"


class Params(Frozen):
    """What it reads of params.yaml."""

    training: Training
    prompts: Prompts


def run(params: Params, layout: Layout) -> Result:
    """Train. Raises Refused without the data gate, InputError for rows that do not fit, Unavailable without Ray."""
    require_gate(layout, "data")
    began = time.monotonic()
    announce("train", "checking the rows")
    if warning := processor.slow_bf16("training", params.training.device, params.training.precision):
        print(warning, flush=True)
    examples = read_rows(params, layout)
    require_validation(params.training, examples)
    require_room(params, layout)
    inputs = inputs_digest(params, layout)
    points = Points(layout)
    with checkpoints.claim(layout.kept("checkpoints", "train") / inputs) as kept:
        job = Job(
            training=params.training,
            model=model_folder(layout),
            rows=layout.stage("tokenise"),
            checkpoints=kept,
            output=kept / "weights",
            scratch=kept / "scratch",
            notices=connection.address() is not None,
            inputs=inputs,
        )
        with whole_folder(layout.stage("train")) as output:
            job, failures = execute(job, examples, points)
            shutil.move(job.output, output / methods.of(params.training.method).form.folder)
            curve = watch.read_record(job.record)
            result = summarise(curve, params, len(examples) - len(examples.validation))
            write_json(output / "curve.json", [{key: point[key] for key in CURVE if key in point} for point in curve])
            write_json(output / "result.json", {"facts": facts.dump(result.facts()), **result.model_dump()})
            timing = measure(job, curve, time.monotonic() - began, failures)
            write_measured(layout, timing, points)
        sent.remove(job)
    return result


CURVE = ("step", "loss", "lr", "tokens", early_stopping.LOSS)
"""What curve.json keeps of each step; the last where the validation rows were looked at."""


def model_folder(layout: Layout) -> Path:
    return layout.stage("base_model") / "model"


def read_rows(params: Params, layout: Layout) -> Examples:
    """The rows as tokens. Raises Refused where they are of something else, InputError where one is too long."""
    folder, context = layout.stage("tokenise"), shape.read(model_folder(layout)).context
    most = min(params.training.max_length, context or params.training.max_length)
    on_disk.verify(folder, tokenise.origin(layout, params.prompts))
    examples = on_disk.read(folder)
    longest = tokenise.Result.read(layout).longest
    if longest > most:
        limit = "the base model's context" if most == context else "training.max_length"
        too_long = int((examples.lengths() > most).sum())
        raise InputError(
            f"{limit}: expected at most {most} tokens a row, got {too_long} of {len(examples)} rows above "
            f"it, the longest with {longest}; raise it, or lower data.max_prompt_chars so that they are quarantined"
        )
    return examples


def require_validation(training: Training, examples: Examples) -> None:
    """Raises InputError where the parameters ask for looks at rows that are not there."""
    asked = [name for name in LOOKS if getattr(training, name) is not None]
    if asked and not len(examples.validation):
        raise InputError(
            f"training.{asked[0]} is set, and there are no validation rows; set data.validation_share, or leave out "
            f"{' and '.join(asked)}"
        )


def require_room(params: Params, layout: Layout) -> None:
    """Raises InputError where the training cannot be, cannot fit on this machine, or lacks what its kernels need,
    before a device is taken. A cluster's workers look for themselves. A disk that turns out too small loses nothing."""
    model = shape.read(model_folder(layout))
    parts.require(params.training, model)
    if connection.address() is None:
        equipment.require(params.training)
        work = workload.of(layout.stage("tokenise"), params.training, None)
        available = replace(room.of(params.training, Resources(), layout.state), disk=None)
        estimate.require(estimate.of(params.training, model, Resources(), available, work))


def execute(job: Job, examples: Examples, points: Points) -> tuple[Job, list[Failure]]:
    """Train on Ray, watched; the job as it was done, and what went wrong meanwhile."""
    for folder in (job.output, job.scratch):
        checkpoints.remove(folder)
        folder.mkdir()
    checkpoints.require_room(job.checkpoints)
    steps = Order(examples, job.training).steps
    plan = watch.Plan(steps, partial(seconds_lost, job.checkpoints))
    storage = place.named() if connection.address() else None
    job = sent.off(job, storage)
    announce("train", "starting Ray, then loading the model on its workers")
    with (
        connection.running(builders.crew(job.training), apart=storage is not None),
        watch.watching(job.record, plan, points),
    ):
        failures = attempts.until_done(job, fitting.fit)
    sent.fetch(job)
    done = watch.read_record(job.record)
    if len(done) != steps and not early_stopping.over(done, job.training.patience):
        raise Refused(
            f"the record of the training has {len(done)} of {steps} steps; run again to go on from the last checkpoint"
        )
    return job, failures


OPERATION = ("least_workers", "max_failures", "hang_seconds", "checkpoint_steps")
"""Parameters that say how a training outlives its machines, and decide no weight."""


def inputs_digest(params: Params, layout: Layout) -> str:
    """Digest of everything that decides the trained weights: names the folder of checkpoints."""
    return sha256_bytes(
        canonical_json(
            {
                "training": params.training.model_dump(mode="json", exclude=set(OPERATION)),
                "model": read_json(layout.stage("base_model") / "result.json")["model_sha256"],
                "rows": sha256_file(layout.stage("tokenise") / on_disk.INDEX),
                "code": read_json(layout.stages)["train"],
                "libraries": versions.of_here().libraries,
            }
        )
    )


def summarise(curve: list[watch.Point], params: Params, rows: int) -> Result:
    last, lowest = curve[-max(1, len(curve) // 10) :], early_stopping.best(curve)
    return Result(
        steps=len(curve),
        skipped_steps=sum(point["targets"] == 0 for point in curve),
        rows=rows,
        tokens=sum(point["tokens"] for point in curve),
        epochs=epochs_of(len(curve), params.training, rows),
        final_loss=round(sum(p["loss"] * p["targets"] for p in last) / max(1, sum(p["targets"] for p in last)), 6),
        best_step=lowest["step"] if lowest else None,
        validation_loss=lowest[early_stopping.LOSS] if lowest else None,
    )


def epochs_of(steps: int, training: Training, rows: int) -> float:
    """Those that were asked for, or of a training that stopped early those that it took."""
    an_epoch = -(-rows // training.global_batch_size)
    return training.epochs if steps >= round(training.epochs * an_epoch) else round(steps / an_epoch, 4)


def measure(job: Job, curve: list[watch.Point], seconds: float, failures: list[Failure]) -> Timing:
    took = [read_json(path) for path in sorted(job.scratch.glob("worker-*.json"))]
    peak = max(each["peak_bytes"] for each in took) / 1e9
    shares = shares_of(seconds, took[0]["seconds"], sum(each.seconds for each in failures))
    speed, fill, mfu = watch.speed(curve), watch.fill(curve), watch.mfu(curve)
    return Timing(seconds, speed, peak, fill, mfu, took[0]["mfu_of"] or "", shares, tuple(failures))


def seconds_lost(checkpoints: Path) -> float:
    """To failures so far."""
    return sum(each.seconds for each in attempts.read(checkpoints))


def shares_of(seconds: float, parts: dict[str, float], lost: float) -> dict[str, float]:
    """Of all seconds, what each part took, what failures cost, and the rest."""
    taken = {**parts, "failures": min(lost, seconds)}
    whole = max(seconds, sum(taken.values()))  # on a GPU parts are of some steps, which count for all
    taken["other"] = whole - sum(taken.values())
    return {part: each / whole for part, each in taken.items()}


def write_measured(layout: Layout, timing: Timing, points: Points) -> None:
    with whole_folder(layout.measured("train")) as folder:
        went_wrong = [asdict(each) for each in timing.failures]
        write_json(folder / "facts.json", {"facts": facts.dump(timing.facts()), "failures": went_wrong})
        if points.path.exists():
            shutil.move(points.path, folder / FILE)
