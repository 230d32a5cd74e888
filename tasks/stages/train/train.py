"""Stage `train`: fine-tune the base model on the training rows, once the data gate has passed.

Writes artefacts/train/ with `adapter/` (or `model/` for method full), `curve.json` and `result.json`, and
measured/train/facts.json. The same inputs give the same bytes in artefacts/train/.
"""

import shutil
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from tasks.core import facts
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError, Refused
from tasks.core.facts import Fact, Facts
from tasks.core.files import atomic_folder, read_json, sha256_bytes, sha256_file, write_json
from tasks.core.json_text import canonical_json
from tasks.core.layout import Layout
from tasks.core.machine import processor
from tasks.core.params import methods
from tasks.core.params.prompts import Prompts
from tasks.core.params.resources import Resources
from tasks.core.params.training import SETTINGS_THAT_NEED_VALIDATION, Training
from tasks.core.progress import print_progress
from tasks.stages.cluster import connection, versions
from tasks.stages.cluster.storage import training_storage
from tasks.stages.train import early_stopping, log_follower
from tasks.stages.train.curve_points import POINTS_FILE, CurvePointsWriter
from tasks.stages.train.job import Job
from tasks.stages.train.machines import ray_attempt
from tasks.stages.train.model import builders, machine_requirements
from tasks.stages.train.preflight import estimate, machine_capacity, model_shape, sequence_parallel_check, workload
from tasks.stages.train.recovery import attempts, checkpoints
from tasks.stages.train.recovery.attempts import Failure
from tasks.stages.train.rows import examples as on_disk
from tasks.stages.train.rows import tokenise
from tasks.stages.train.rows.examples import Examples
from tasks.stages.train.rows.order import RowOrder
from tasks.stages.train.training_store import transfer
from tasks.trust.gate_statement import require_gate


class Result(FrozenModel):
    """Summary of a training run, written to result.json. The same inputs give the same summary."""

    steps: int
    rows: int
    tokens: int
    """Number of tokens in all rows, summed over all epochs."""
    epochs: float
    final_loss: float
    """Mean loss per target token over the last tenth of the steps."""
    skipped_steps: int = 0
    """Number of steps that were skipped because their loss was not finite or had jumped."""
    best_step: int | None = None
    """Step with the lowest validation loss; the result has the weights after this step. It is None without validation
    rows, and the result then has the weights after the last step."""
    validation_loss: float | None = None
    """Mean loss per target token of the validation rows after `best_step`."""

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
    """Time, speed and memory of one execution of the stage. These values do not affect the stage's artefacts."""

    seconds: float
    """Duration of the stage in seconds, including the start of Ray."""
    tokens_per_second: float
    """Tokens of prompts and targets per second of training; 0 if a checkpoint already contained all steps."""
    peak_memory_gb: float
    """Peak memory of the worker that used the most, in 10^9 bytes. On a GPU, it is the GPU's memory."""
    filled_share: float | None
    """Fraction of the computed positions that hold a token rather than padding; None if no step was taken."""
    mfu: float | None
    """Model FLOPs utilisation of the steps (`preflight/operations.py`); None if the device's peak is unknown."""
    mfu_source: str
    time_shares: dict[str, float]
    """Fractions of `seconds` that the first worker spent on each part of the training run
    (`measurement/time_shares.py`). There are two more parts: `failures`, and `other` for starting Ray and for loading
    and writing the weights. For a resumed training run, only the steps since it was resumed are counted."""
    failures: tuple[Failure, ...]

    def facts(self) -> Facts:
        return {
            "seconds": Fact(value=round(self.seconds, 1), unit="s"),
            "tokens_per_second": Fact(value=round(self.tokens_per_second, 1), unit="tokens/s"),
            "peak_memory_gb": Fact(value=round(self.peak_memory_gb, 2), unit="GB", note="of the largest worker"),
            **({} if self.filled_share is None else {"fill": Fact(value=round(self.filled_share, 4), note=FILL_NOTE)}),
            **(
                {}
                if self.mfu is None
                else {"mfu": Fact(value=round(self.mfu, 4), note=f"{MFU_NOTE} {self.mfu_source}")}
            ),
            **{
                f"time_{part}": Fact(value=round(share, 4), note="share of `seconds`")
                for part, share in self.time_shares.items()
            },
            "failures": Fact(value=len(self.failures), note="workers lost or memory too small; it went on each time"),
            "seconds_lost": Fact(value=round(sum(each.seconds for each in self.failures), 1), unit="s", note="to them"),
        }


FILL_NOTE = "share of the computed positions that hold a token; the others are padding, or wait for another worker"
MFU_NOTE = "operations that the model needs (PaLM, appendix B; less for frozen weights), over the peak by"


class Params(FrozenModel):
    training: Training
    prompts: Prompts


def run(params: Params, layout: Layout) -> Result:
    """Train the base model on the rows of stage `tokenise`.

    Raises:
        Refused: The data gate has not passed, or the rows were made from other data than this run's.
        InputError: A row is too long, or the model does not fit on this machine.
        Unavailable: Ray or its workers cannot run.
    """
    require_gate(layout, "data")
    began = time.monotonic()
    print_progress("train", "checking the rows")
    if warning := processor.bf16_warning("training", params.training.device, params.training.precision):
        print(warning, flush=True)
    examples = read_rows(params, layout)
    require_validation_rows(params.training, examples)
    require_machine_resources(params, layout)
    inputs = inputs_digest(params, layout)
    points = CurvePointsWriter(layout)
    with checkpoints.lock_checkpoint_folder(layout.cache_folder("checkpoints", "train") / inputs) as kept:
        job = Job(
            training=params.training,
            model=base_model_folder(layout),
            rows=layout.artefacts("tokenise"),
            checkpoints=kept,
            weights_folder=kept / "weights",
            scratch=kept / "scratch",
            is_on_cluster=connection.cluster_address() is not None,
            inputs_digest=inputs,
        )
        with atomic_folder(layout.artefacts("train")) as output:
            job, failures = train_on_ray(job, examples, points)
            shutil.move(job.weights_folder, output / methods.get_method(params.training.method).result_form.folder_name)
            curve = log_follower.read_log(job.training_log)
            result = summarise_curve(curve, params, len(examples) - len(examples.validation))
            write_json(
                output / "curve.json", [{key: point[key] for key in CURVE_KEYS if key in point} for point in curve]
            )
            write_json(output / "result.json", {"facts": facts.facts_to_json(result.facts()), **result.model_dump()})
            timing = measure_execution(job, curve, time.monotonic() - began, failures)
            write_measurements(layout, timing, points)
        transfer.remove_training_folder(job)
    return result


CURVE_KEYS = ("step", "loss", "lr", "tokens", early_stopping.VALIDATION_LOSS_KEY)
"""Keys of a step in curve.json. A step has a validation loss only if a validation followed it."""


def base_model_folder(layout: Layout) -> Path:
    return layout.artefacts("base_model") / "model"


def read_rows(params: Params, layout: Layout) -> Examples:
    """Read the rows of stage `tokenise`, and verify their origin and length.

    Raises:
        Refused: The rows were made from other data, other prompts or another base model than this run's.
        InputError: A row has more tokens than `training.max_length` or the base model's context.
    """
    folder, context = (
        layout.artefacts("tokenise"),
        model_shape.read_model_shape(base_model_folder(layout)).context_length,
    )
    most = min(params.training.max_length, context or params.training.max_length)
    on_disk.verify_example_files(folder, tokenise.digest_inputs(layout, params.prompts))
    examples = on_disk.map_examples(folder)
    longest = tokenise.Result.read(layout).longest
    if longest > most:
        limit = "the base model's context" if most == context else "training.max_length"
        too_long = int((examples.row_lengths() > most).sum())
        raise InputError(
            f"{limit}: expected at most {most} tokens a row, got {too_long} of {len(examples)} rows above "
            f"it, the longest with {longest}; raise it, or lower data.max_prompt_chars so that they are quarantined"
        )
    return examples


def require_validation_rows(training: Training, examples: Examples) -> None:
    settings = [name for name in SETTINGS_THAT_NEED_VALIDATION if getattr(training, name) is not None]
    if settings and not len(examples.validation):
        raise InputError(
            f"training.{settings[0]} is set, and there are no validation rows; set data.validation_share, or leave out "
            f"{' and '.join(settings)}"
        )


def require_machine_resources(params: Params, layout: Layout) -> None:
    """Verify that this machine has the memory, compiler and libraries for the training run.

    The check takes place before a device is used. Workers of a cluster check their own machines instead. Disk space is
    not checked, because a training run that fills the disk loses nothing.

    Raises:
        InputError: The model does not fit into memory, or a compiler or library is missing.
    """
    model = model_shape.read_model_shape(base_model_folder(layout))
    sequence_parallel_check.require_sequence_parallel_support(params.training, model)
    if connection.cluster_address() is None:
        machine_requirements.require_software(params.training)
        work = workload.count_workload(layout.artefacts("tokenise"), params.training, None)
        available = replace(
            machine_capacity.capacity_per_worker(params.training, Resources(), layout.state), disk_bytes=None
        )
        estimate.require_fit(estimate.estimate_training(params.training, model, Resources(), available, work))


def train_on_ray(job: Job, examples: Examples, points: CurvePointsWriter) -> tuple[Job, list[Failure]]:
    """Train on Ray and report the progress.

    Returns:
        The job and the failures, oldest first. If the machines have no disk in common, the job's `remote` is set.
    """
    for folder in (job.weights_folder, job.scratch):
        checkpoints.remove_path(folder)
        folder.mkdir()
    checkpoints.require_disk_space(job.checkpoints)
    steps = RowOrder(examples, job.training).step_count
    plan = log_follower.TrainingPlan(steps, partial(seconds_lost_to_failures, job.checkpoints))
    storage = training_storage.storage_from_environment() if connection.cluster_address() else None
    job = transfer.upload_inputs(job, storage)
    print_progress("train", "starting Ray, then loading the model on its workers")
    with (
        connection.connect_to_ray(builders.build_worker_spec(job.training), without_shared_disk=storage is not None),
        log_follower.report_progress(job.training_log, plan, points),
    ):
        failures = attempts.train_until_done(job, ray_attempt.run_attempt)
    transfer.fetch_weights(job)
    done = log_follower.read_log(job.training_log)
    if len(done) != steps and not early_stopping.should_stop(done, job.training.patience):
        raise Refused(
            f"the record of the training has {len(done)} of {steps} steps; run again to go on from the last checkpoint"
        )
    return job, failures


OPERATIONAL_PARAMETERS = ("least_workers", "max_failures", "hang_seconds", "checkpoint_steps")
"""Parameters for the handling of failures. They do not influence the weights and are not part of `inputs_digest`."""


def inputs_digest(params: Params, layout: Layout) -> str:
    """Return the digest of all inputs that affect the trained weights.

    The folder of the checkpoints is named after this digest.
    """
    return sha256_bytes(
        canonical_json(
            {
                "training": params.training.model_dump(mode="json", exclude=set(OPERATIONAL_PARAMETERS)),
                "model": read_json(layout.artefacts("base_model") / "result.json")["model_sha256"],
                "rows": sha256_file(layout.artefacts("tokenise") / on_disk.INDEX_FILE),
                "code": read_json(layout.stage_digests_path)["train"],
                "libraries": versions.installed_versions().libraries,
            }
        )
    )


def summarise_curve(curve: list[log_follower.Point], params: Params, row_count: int) -> Result:
    last, lowest = curve[-max(1, len(curve) // 10) :], early_stopping.best_point(curve)
    return Result(
        steps=len(curve),
        skipped_steps=sum(point["targets"] == 0 for point in curve),
        rows=row_count,
        tokens=sum(point["tokens"] for point in curve),
        epochs=completed_epochs(len(curve), params.training, row_count),
        final_loss=round(sum(p["loss"] * p["targets"] for p in last) / max(1, sum(p["targets"] for p in last)), 6),
        best_step=lowest["step"] if lowest else None,
        validation_loss=lowest[early_stopping.VALIDATION_LOSS_KEY] if lowest else None,
    )


def completed_epochs(steps: int, training: Training, row_count: int) -> float:
    an_epoch = -(-row_count // training.global_batch_size)
    return training.epochs if steps >= round(training.epochs * an_epoch) else round(steps / an_epoch, 4)


def measure_execution(job: Job, curve: list[log_follower.Point], seconds: float, failures: list[Failure]) -> Timing:
    took = [read_json(path) for path in sorted(job.scratch.glob("worker-*.json"))]
    peak = max(each["peak_bytes"] for each in took) / 1e9
    shares = compute_time_shares(seconds, took[0]["seconds"], sum(each.seconds for each in failures))
    speed, fill, mfu = (
        log_follower.tokens_per_second(curve),
        log_follower.filled_share(curve),
        log_follower.mean_mfu(curve),
    )
    return Timing(seconds, speed, peak, fill, mfu, took[0]["mfu_of"] or "", shares, tuple(failures))


def seconds_lost_to_failures(checkpoints: Path) -> float:
    return sum(each.seconds for each in attempts.read_failures(checkpoints))


def compute_time_shares(seconds: float, parts: dict[str, float], lost_seconds: float) -> dict[str, float]:
    seconds_by_part = {**parts, "failures": min(lost_seconds, seconds)}
    whole = max(seconds, sum(seconds_by_part.values()))  # parts on a GPU are extrapolated from some steps
    seconds_by_part["other"] = whole - sum(seconds_by_part.values())
    return {part: each / whole for part, each in seconds_by_part.items()}


def write_measurements(layout: Layout, timing: Timing, points: CurvePointsWriter) -> None:
    with atomic_folder(layout.measurements("train")) as folder:
        went_wrong = [asdict(each) for each in timing.failures]
        write_json(folder / "facts.json", {"facts": facts.facts_to_json(timing.facts()), "failures": went_wrong})
        if points.path.exists():
            shutil.move(points.path, folder / POINTS_FILE)
