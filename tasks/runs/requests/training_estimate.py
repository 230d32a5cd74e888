"""Estimate of the memory, disk space, time and cost of a training run, before the run is requested.

It is computed from the parameters, the headers of the base model, and the newest earlier runs that have the same
prompts and base model (`tasks.runs.requests.earlier_runs`).
"""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core import facts
from tasks.core.errors import DOCUMENT_ERRORS, HallmarkError, InputError
from tasks.core.formatting import format_duration, format_share, format_usd
from tasks.core.layout import Layout
from tasks.core.machine import processor
from tasks.core.params.base_model import BaseModelParams
from tasks.core.params.params import Params
from tasks.core.params.training import Training
from tasks.runs.requests import earlier_runs, resolution
from tasks.runs.requests.earlier_runs import EarlierRun
from tasks.stages.cluster import connection
from tasks.stages.evaluate import models
from tasks.stages.evaluate.inference import vllm_engine
from tasks.stages.train import calibrate
from tasks.stages.train.base import base_model, origins
from tasks.stages.train.model import machine_requirements
from tasks.stages.train.preflight import estimate, machine_capacity, model_shape, sequence_parallel_check, workload
from tasks.stages.train.preflight.estimate import Estimate
from tasks.stages.train.preflight.machine_capacity import GIB
from tasks.stages.train.preflight.speed import MeasuredSpeed
from tasks.stages.train.rows import examples
from tasks.stages.train.verification import trained_modules

MIN_SPEED, MAX_SPEED = 1e-3, 1e12
"""Bounds of a plausible measured speed, in tokens per second and worker."""
MAX_MODEL_BYTES = 16 * GIB
"""Maximum size in bytes of a base model that is reused from an earlier run. Verification of its digests takes about a
second per GiB."""
MEMORY_PARTS = ("weights", "gradients", "optimizer", "activations", "buffers", "host")


@dataclass(frozen=True)
class TrainingEstimate:
    model: str
    estimate: Estimate
    run_with_rows: str
    """Id of the run whose tokenised rows were counted; empty if no run has tokenised rows yet."""
    trains_here: bool


def print_notice(text: str) -> None:
    """Print a message to stderr, because stdout can be reserved for JSON output."""
    print(text, file=sys.stderr, flush=True)


def estimate_training(
    root: Path, params_file: Path | None, changes: Mapping[str, str], calibrate_speed: bool = False
) -> TrainingEstimate:
    """Estimate the training run of a params file (default: params.yaml) with `changes` applied.

    With `calibrate_speed`, the speed is measured in a few seconds of training, unless the training does not fit into
    memory.

    Raises:
        InputError: The parameters are not valid.
        Unavailable: The base model cannot be fetched, or the calibration did not complete a step.
    """
    params, _ = resolution.read_params(params_file or root / "params.yaml", changes)
    layout = Layout(root)
    layout.state.mkdir(exist_ok=True)  # `hallmark init` may not have run yet
    with open_model_folder(params, layout, governed_only=calibrate_speed) as folder:
        model = model_shape.read_model_shape(folder)
        sequence_parallel_check.require_sequence_parallel_support(params.training, model)
        trained_modules.require_module_names(model.linear_modules(), params.training)
        rows, run, measured = _earlier_measurements(params, layout)
        work = workload.count_workload(rows, params.training, model.context_length) if rows else None
        available = machine_capacity.capacity_per_worker(
            params.training, params.resources, layout.cache_folder("checkpoints", "train")
        )
        made = estimate.estimate_training(params.training, model, params.resources, available, work, measured)
        here = machine_capacity.is_trained_here(params.resources)
        if calibrate_speed and here:
            require_training_hardware(params.training)
        if calibrate_speed and made.fits_memory is not False:
            print_notice(f"training for {calibrate.MEASUREMENT_SECONDS:.0f} seconds")
            with tempfile.TemporaryDirectory(dir=layout.state) as temporary:
                found = calibrate.calibrate_speed(params.training, model, folder, rows, run, Path(temporary))
            made = estimate.estimate_training(
                params.training, model, params.resources, available, work, measured, found
            )
    return TrainingEstimate(base_model.describe_origin(params.base_model), made, run, here)


def require_training_hardware(training: Training) -> None:
    """Verify that this machine has the GPUs, the compiler and the libraries that a training run needs.

    Raises:
        InputError: A GPU, the compiler or a library is missing.
    """
    machine_requirements.require_gpus(training)
    machine_requirements.require_software(training)


def require_works_without_cluster(params: Params) -> None:
    """Verify that this machine can train and predict without the cluster, if one is configured.

    Raises:
        InputError: A GPU, the compiler or a library for the training is missing.
        Unavailable: This machine has no GPU for the predictions.
    """
    if connection.cluster_address():
        require_training_hardware(params.training)
        models.require_device(params.evaluation)


@contextmanager
def open_model_folder(params: Params, layout: Layout, governed_only: bool = False) -> Iterator[Path]:
    """Yield the folder of the base model. If necessary, the model is fetched and converted first.

    With `governed_only`, the copy in an experiment's outputs is not used, because the weights are loaded outside of a
    sandbox.
    """
    base = params.base_model
    for other in earlier_runs.find_similar_runs(layout, params, governed_only):
        if _has_model(other):
            yield _model_folder_of(other)
            return
    if folder := _local_base_model(base, layout):
        yield folder
        return
    fetched = origins.fetch_base_model(base, layout)
    if fetched.is_dir():
        yield fetched
        return
    models.silence_libraries()
    from tasks.stages.train.base import convert  # loads the model

    print_notice("reading the base model")
    with tempfile.TemporaryDirectory(dir=layout.state) as temporary:
        convert.convert_gguf(fetched, Path(temporary) / "model")
        yield Path(temporary) / "model"


def _local_base_model(base: BaseModelParams, layout: Layout) -> Path | None:
    """Return the folder of a base model if it is on this machine.

    The digest is not verified, because only the headers are read here; stage `base_model` verifies it.
    """
    folder = layout.resolve_path(str(base.folder)) if base.folder else layout.state / "models" / base.sha256
    return folder if (folder / "config.json").is_file() else None


def _earlier_measurements(params: Params, layout: Layout) -> tuple[Path | None, str, MeasuredSpeed | None]:
    rows, run, measured = None, "", None
    for other in earlier_runs.find_similar_runs(layout, params):
        if rows is None and _has_rows(other):
            rows, run = other.layout.artefacts("tokenise"), other.id
        measured = measured or _measured_speed(other)
    return rows, run, measured


def _model_folder_of(other: EarlierRun) -> Path:
    return other.layout.artefacts("base_model") / "model"


def _has_model(other: EarlierRun) -> bool:
    folder = _model_folder_of(other)
    try:
        if sum(path.stat().st_size for path in folder.rglob("*")) > MAX_MODEL_BYTES:
            return False
        if not other.has_signed_folder("base_model", folder):
            return False
        model_shape.read_model_shape(folder)
    except (OSError, HallmarkError):
        return False
    return True


def _has_rows(other: EarlierRun) -> bool:
    folder = other.layout.artefacts("tokenise")
    if not other.has_signed_files(
        "tokenise", *(folder / name for name in (*examples.EXAMPLE_FILES, examples.INDEX_FILE))
    ):
        return False  # among others of an old version
    try:
        examples.require_consistent(examples.map_examples(folder))
    except (OSError, *DOCUMENT_ERRORS):
        return False
    return True


def _measured_speed(earlier_run: EarlierRun) -> MeasuredSpeed | None:
    """Return the speed that a training run measured; None for an experiment, whose code can report any value."""
    path = earlier_run.layout.measurements("train") / "facts.json"
    if earlier_run.layout.is_experiment or not earlier_run.has_signed_files("train", path):
        return None
    try:
        speed = facts.read_facts(path)["tokens_per_second"].value
    except (InputError, KeyError):
        return None
    return MeasuredSpeed(speed, earlier_run.id, earlier_run.params.training) if MIN_SPEED < speed < MAX_SPEED else None


def find_obstacles(params: Params, layout: Layout, on_other_machine: bool = False) -> Iterator[str]:
    """Yield reasons why training or prediction is impossible, without loading the base model.

    The hardware of this machine is checked, and the headers of the base model if it is on this machine. With
    `on_other_machine`, another machine will execute the run, and the hardware of this machine is not checked.
    """
    here = not on_other_machine and machine_capacity.is_trained_here(params.resources)
    try:
        if here:
            require_training_hardware(params.training)
        _require_room(params, layout)
    except HallmarkError as error:
        yield f"{error} (hallmark preflight shows more)"
    try:
        if here:  # prediction follows the training, which would be wasted
            models.require_device(params.evaluation)
            vllm_engine.require_installed(params.evaluation)
    except HallmarkError as error:
        yield str(error)


def _require_room(params: Params, layout: Layout) -> None:
    training, folder = params.training, _local_base_model(params.base_model, layout)
    if folder is None:
        return
    model = model_shape.read_model_shape(folder)
    sequence_parallel_check.require_sequence_parallel_support(training, model)
    trained_modules.require_module_names(model.linear_modules(), training)
    available = machine_capacity.capacity_per_worker(
        training, params.resources, layout.cache_folder("checkpoints", "train")
    )
    estimate.require_fit(estimate.estimate_training(training, model, params.resources, available, None))


def to_json_document(training_estimate: TrainingEstimate) -> dict[str, Any]:
    """Return the estimate as the JSON object that `hallmark preflight --json` prints.

    Sizes are in bytes, the cost in USD and the duration in hours. Unknown values are null.
    """
    it = training_estimate.estimate
    work = it.workload
    return {
        "model": training_estimate.model,
        "parameters": it.shape.parameter_count,
        "trained": it.shape.trained_weight_count(it.training),
        "memory": {name: getattr(it.memory, name) for name in MEMORY_PARTS},
        "device_bytes": it.memory.device,
        "has_bytes": it.capacity.device_bytes,
        "fits": it.fits_memory,
        "would_fit_with": estimate.find_remedies(it),
        "disk_bytes": it.disk_bytes,
        "disk_free_bytes": it.capacity.disk_bytes,
        "disk_fits": None if it.capacity.disk_bytes is None else not it.lacks_disk_space,
        "workers": it.training.workers,
        "rows": work and work.rows,
        "tokens": work and work.training_tokens,
        "steps": work and work.steps,
        "wasted_share": work and work.padding_share,
        "longest_row": work and work.longest_row,
        "rows_too_long": work and work.rows_too_long,
        "tokens_per_second": it.speed.tokens_per_second,
        "speed_source": it.speed.source,
        "hours": it.hours,
        "cost_usd": it.cost_usd,
        "lines": list(estimate_sentences(training_estimate)),
    }


def estimate_sentences(training_estimate: TrainingEstimate) -> Iterator[str]:
    it = training_estimate.estimate
    device, free = it.capacity.device_bytes, it.capacity.disk_bytes
    needs, has = it.memory.device / GIB, "an unknown size" if device is None else f"{device / GIB:.1f} GiB"
    unknown = f"set resources.{'memory_gib' if device is None else 'host_memory_gib'} to know whether it fits"
    verdict = {True: "fits", False: "does not fit", None: unknown}[it.fits_memory]
    yield f"a worker needs {needs:.2f} GiB and has {has}: {verdict}"
    enough = "does not fit" if it.lacks_disk_space else "fits"
    left = "where the training keeps them" if free is None else f"and {free / GIB:.0f} GiB are free: {enough}"
    yield f"disk: {it.disk_bytes / GIB:.2f} GiB of checkpoints and weights, {left}"
    if it.workload is None:
        yield f"{it.speed.tokens_per_second:,.0f} tokens a second and worker, {it.speed.source}"
        yield "tokens, hours and cost show once a run with these prompts and this base model has tokenised its rows"
        return
    work = it.workload
    aside = f", {work.validation_rows:,} of them to validate" if work.validation_rows else ""
    yield (
        f"{work.rows:,} rows of run {training_estimate.run_with_rows}{aside}, "
        f"{work.training_tokens:,} tokens in all epochs, {work.steps:,} steps "
        f"of {work.passes_per_step:.1f} passes, {format_share(work.padding_share)} of positions without a token"
    )
    if work.rows_too_long:
        share = f"{work.rows_too_long:,} rows ({format_share(work.rows_too_long / work.rows)})"
        yield f"{share} are longer than training.max_length or the model's context, and stop the training"
    else:
        yield f"the longest row has {work.longest_row} tokens: none is cut or left out"
    yield f"{it.speed.tokens_per_second:,.0f} tokens a second and worker, {it.speed.source}"
    if warning := processor.bf16_warning("training", it.training.device, it.training.precision):
        yield warning
    assert it.hours is not None and it.cost_usd is not None
    workers = f"{it.training.workers} worker{'s' if it.training.workers > 1 else ''}"
    if it.busy_workers < it.training.workers:
        idle, batch = it.training.workers - it.busy_workers, it.training.global_batch_size
        yield f"{idle} of {it.training.workers} workers have no row: training.global_batch_size is {batch}"
    takes, costs = format_duration(it.hours * 3600), format_usd(it.cost_usd)
    yield f"{takes} on {workers}, {costs} at {it.price_per_hour:g} USD an hour and worker"


def remedy_sentence(made: Estimate) -> str:
    """Return a sentence with the parameter changes that would make the training fit into memory."""
    if made.fits_memory is not False:
        return estimate.disk_message(made)
    changes = estimate.find_remedies(made)
    if changes is None:
        return f"no setting that learns the same would make it fit; take {estimate.OTHER_REMEDIES}"
    return "it would fit with " + " ".join(
        f"--set training.{name}={_value_text(value)}" for name, value in changes.items()
    )


def _value_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
