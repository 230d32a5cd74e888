"""Training loop of a worker: optimizer steps over its part of the rows, validations and checkpoints."""

import math
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import torch
from torch import distributed

from tasks.core.errors import Refused, Unavailable
from tasks.core.params import methods
from tasks.core.params.resources import Resources
from tasks.core.params.training import Training
from tasks.stages import import_speed
from tasks.stages.cluster import versions
from tasks.stages.peak_memory import peak_memory_bytes
from tasks.stages.train import early_stopping, validation
from tasks.stages.train.job import Job
from tasks.stages.train.measurement import communication
from tasks.stages.train.measurement.time_shares import PartTimer
from tasks.stages.train.measurement.utilisation import Utilisation
from tasks.stages.train.model import builders, export
from tasks.stages.train.model import engine as engines
from tasks.stages.train.model.target_loss import can_share_prefix
from tasks.stages.train.preflight import estimate, machine_capacity, model_shape
from tasks.stages.train.recovery import checkpoints, machine_check, safe_loading, universal_checkpoint, watchdog
from tasks.stages.train.recovery.attempts import MachinesChanged, OutOfMemory
from tasks.stages.train.recovery.checkpoints import Checkpoint
from tasks.stages.train.recovery.divergence import divergence_error, require_no_loss_jump, skipped_step_point
from tasks.stages.train.rows import examples as on_disk
from tasks.stages.train.rows import forward_passes
from tasks.stages.train.rows.batches import all_share_prefix, collate
from tasks.stages.train.rows.order import RowOrder, Rows
from tasks.stages.train.training_store import separate_disks
from tasks.stages.train.training_store.shared_disk import TrainingStore
from tasks.stages.train.verification import engine_state, forward_pass
from tasks.stages.train.verification.optimizer_step import FirstStepCheck, StepSums
from tasks.stages.train.workers import gather_from_workers


def train_as_worker(job: Job) -> None:
    """Train as one of the workers, after verifying that all workers have the same library versions."""
    with machine_check.raise_on_all_workers(job):
        job.versions.require_installed(compare_builds=False)
    everyone = gather_from_workers((socket.gethostname(), versions.installed_versions()))
    with machine_check.raise_on_all_workers(job):
        versions.require_majority_versions(everyone, distributed.get_rank())
    import_speed.hide_scipy()
    if not methods.get_method(job.training.method).is_quantised:
        import_speed.hide_libraries("bitsandbytes")
    run_training(job)


def run_training(job: Job) -> None:
    home = separate_disks.open_store(job)
    job, training = home.job, home.job.training
    with machine_check.raise_on_all_workers(job):
        require_memory(job)
    gpu = training.device == "gpu"
    set_up_torch(training)
    checkpoint = home.newest_checkpoint()
    engine = load_engine(job, checkpoint)
    import_speed.restore_garbage_collection()
    order = RowOrder(on_disk.map_examples(job.rows), training)
    call_with_out_of_memory_error(partial(verify_forward_pass, engine, order), 0, training)
    curve = resume_from_checkpoint(engine, home, checkpoint)
    home.begin_log(curve)
    first, shares, effort = True, PartTimer(engine.device), Utilisation(job)
    with (
        watchdog.run_watchdog(
            home.stack_destination(distributed.get_rank()), builders.step_limit_seconds(training)
        ) as dog,
        communication.wrap_collectives(partial(shares.measure, "communication")),
    ):
        for number in range(len(curve), order.step_count):
            if early_stopping.should_stop(curve, training.patience):
                break
            began, took = time.monotonic(), {}
            if number in job.skipped_steps:
                point = skipped_step_point(order, number, curve)
            else:
                fresh = not any(it["targets"] for it in curve)
                watched = FirstStepCheck(engine, training, fresh) if first else None
                point = call_with_out_of_memory_error(
                    partial(take_step, engine, order, number, watched, shares), number, training
                )
                require_no_loss_jump(point, curve, order)
                first = False
                took = effort.measure_step(order, number, time.monotonic() - began)
            curve.append(point)
            seconds, peak = time.monotonic() - began, peak_memory_bytes(gpu)
            if early_stopping.is_validation_due(order, len(curve)):
                dog.feed(builders.LONG_STEP_FACTOR)
                validate(engine, home, order, curve, shares, dog)
                took["look_seconds"] = time.monotonic() - began - seconds
            home.log_step({**point, **took, "peak_bytes": peak, "seconds": seconds})
            order.examples.release_memory()  # reading a row maps 64 KB of the file around it
            last = len(curve) == order.step_count or early_stopping.should_stop(curve, training.patience)
            due = last or len(curve) % training.checkpoint_steps == 0
            change = None if last else home.reason_to_end(len(curve), due)
            if due or change:
                dog.feed(builders.LONG_STEP_FACTOR, home.storage_patience_seconds)
                with shares.measure("checkpoint"):
                    save_checkpoint(engine, home, curve)
            if change:
                home.wait_until_stored()
                raise MachinesChanged(f"{change} after step {len(curve)}")
            dog.feed()
    with shares.measure("checkpoint"):
        home.wait_until_stored()
    if early_stopping.best_point(curve):
        home.export_best_weights()
    else:
        export.write_weights(engine, job.model, training, job.weights_folder)
    home.report_end({"peak_bytes": peak_memory_bytes(gpu), "seconds": shares.seconds, "mfu_of": effort.peak_source})


def require_memory(job: Job) -> None:
    training = job.training.model_copy(update={"workers": distributed.get_world_size()})
    own = estimate.estimate_training(
        training, model_shape.read_model_shape(job.model), Resources(), machine_capacity.worker_capacity(training), None
    )
    estimate.require_fit(own, f"on {socket.gethostname()} ")


def set_up_torch(training: Training) -> None:
    torch.set_num_threads(training.threads)
    # Some GPU kernels have no deterministic form.
    torch.use_deterministic_algorithms(True, warn_only=training.device == "gpu")
    # Filling new tensors, which are written before they are read anyway, took 9 % of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # torch stubs lack it


def load_engine(job: Job, checkpoint: Checkpoint | None) -> Any:
    """Return the DeepSpeed engine with the model.

    Raises:
        Unavailable: The model does not fit into memory. OutOfMemory is not raised, because it would lead to another
            attempt with smaller forward passes, which would not help.
    """
    universal = universal_checkpoint.is_conversion_needed(checkpoint, job.training, distributed.get_world_size())
    try:
        return call_with_out_of_memory_error(partial(engines.create_engine, job, universal), 0, job.training)
    except OutOfMemory:
        raise Unavailable(
            "out of memory while the model is loaded; `hallmark preflight` says what would fit, and needs no device"
        ) from None


StepResult = TypeVar("StepResult")
OUT_OF_MEMORY_TEXTS = ("can't allocate memory", "out of memory", "not enough memory")
"""Parts of error messages by which a RuntimeError of torch is recognised as lack of memory."""


def call_with_out_of_memory_error(step: Callable[[], StepResult], step_number: int, training: Training) -> StepResult:
    """Call `step` and return its result.

    Raises:
        OutOfMemory: The device has too little memory for a forward pass.
    """
    try:
        return step()
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if isinstance(error, MemoryError) or any(words in str(error) for words in OUT_OF_MEMORY_TEXTS):
            raise OutOfMemory(
                f"out of memory in step {step_number + 1}, in passes of up to {training.micro_batch_tokens} tokens"
            ) from None
        raise


def verify_forward_pass(engine: Any, order: RowOrder) -> None:
    """Verify the computation of one forward pass before training begins.

    The pass is chosen from the first steps. Its smallest group of rows is as large as possible, so that every worker
    has rows to verify.
    """
    training, size = order.training, distributed.get_world_size()
    best: list[Rows] = []
    for number in range(min(order.step_count, forward_pass.SEARCHED_STEPS)):
        rows = order.rows_of_step(number)
        plan = forward_passes.plan_passes(order.examples.row_lengths(rows), training, size)
        for forward in range(plan.pass_count):
            groups = [rows[group] for group in plan.groups_of_pass(forward)]
            if not best or min(map(len, groups)) > min(map(len, best)):
                best = groups
    forward_pass.verify_forward_pass(engine, order.examples, best, training, can_share_prefix(engine.module, training))


def take_step(
    engine: Any,
    order: RowOrder,
    number: int,
    first_step_check: FirstStepCheck | None = None,
    part_timer: PartTimer | None = None,
) -> dict[str, Any]:
    """Take one optimizer step and return its entry for the training log.

    Args:
        engine: DeepSpeed engine with the model.
        order: Rows of each step.
        number: Number of the step, counted from 0.
        first_step_check: Verification of the step; None for steps that are not verified.
        part_timer: Timer for the parts of the step; None to measure nothing.
    """
    part_timer = part_timer or PartTimer()
    part_timer.begin_step(number)
    training, rank, size = order.training, distributed.get_rank(), distributed.get_world_size()
    examples, rows = order.examples, order.rows_of_step(number)
    lengths, targets = examples.row_lengths(rows), int(examples.target_counts(rows).sum())
    plan, together = forward_passes.plan_passes(lengths, training, size), engine.module.together
    rate = builders.learning_rate(training, number, order.step_count)
    for group in engine.optimizer.param_groups:
        group["lr"] = rate
    torch.manual_seed((training.seed + number) * size + rank)  # for dropout; by step, so that resuming is exact
    share, tally = can_share_prefix(engine.module, training), StepSums(engine.device, together.size)
    for forward in range(plan.pass_count):
        groups = [rows[group] for group in plan.groups_of_pass(forward)]
        with part_timer.measure("data"):
            shared = share and all_share_prefix(examples, groups)
            own = groups[together.group_index]
            batch = together.own_part(collate(examples, own, training.uses_packed_layout, shared)).to(engine.device)
        with part_timer.measure("forward"):
            loss = engine(batch)
        tally.add(loss, batch, own)
        if first_step_check:
            first_step_check.record_loss_scale(loss)
        # DeepSpeed averages over workers and sums over passes; the step needs the mean over tokens.
        with part_timer.measure("backward"):
            engine.backward(loss * (size / targets))
    with part_timer.measure("communication"):  # waits for the slowest worker
        mean = tally.verify_sums(number, rows, targets) / targets
    if not math.isfinite(mean):
        raise divergence_error(number, f"is {mean}", rows)
    with part_timer.measure("optimizer"):
        engine.step()
    if not math.isfinite(norm := float(engine.get_global_grad_norm())):
        raise divergence_error(number, f"has a gradient of {norm}", rows)  # DeepSpeed would skip the step silently
    if first_step_check:
        first_step_check.verify_step(targets)
    return {
        "step": number + 1,
        "loss": round(mean, 6),
        "lr": rate,
        "grad_norm": round(norm, 6),
        "tokens": int(lengths.sum()),
        "targets": targets,
    }


def validate(
    engine: Any,
    store: TrainingStore,
    order: RowOrder,
    curve: list[dict[str, Any]],
    part_timer: PartTimer,
    hang_watchdog: watchdog.Watchdog,
) -> None:
    """Compute the validation loss and add it to the training curve.

    If it is the lowest so far, the weights are saved.
    """
    number = len(curve) - 1
    with part_timer.measure("validation"):
        loss = call_with_out_of_memory_error(
            partial(validation.compute_validation_loss, engine, order, hang_watchdog.feed), number, order.training
        )
        if not math.isfinite(loss):
            raise divergence_error(number, f"makes that of the validation rows {loss}", order.rows_of_step(number))
        curve[-1][early_stopping.VALIDATION_LOSS_KEY] = loss
        if early_stopping.best_point(curve) is curve[-1]:
            hang_watchdog.feed(builders.LONG_STEP_FACTOR)
            folder = store.create_best_folder()
            with checkpoints.full_disk_as_unavailable(store.job.scratch):
                export.write_weights(engine, store.job.model, order.training, folder)


def resume_from_checkpoint(engine: Any, store: TrainingStore, checkpoint: Checkpoint | None) -> list[dict[str, Any]]:
    """Load a checkpoint into the engine and return its training curve, which is empty without a checkpoint."""
    if checkpoint is None:
        return []
    if early_stopping.best_point(checkpoint.curve):
        store.restore_best_weights(checkpoint.folder)
    folder = checkpoint.folder
    if universal_checkpoint.is_conversion_needed(checkpoint, store.job.training, distributed.get_world_size()):
        folder = store.job.scratch / universal_checkpoint.UNIVERSAL_FOLDER
        if store.creates_folders:
            universal_checkpoint.convert_checkpoint(checkpoint, folder)
        distributed.barrier()
    with safe_loading.load_data_only(checkpoint.folder.name):
        path, _ = engine.load_checkpoint(str(folder), tag=checkpoints.STATE_FOLDER, load_module_strict=False)
    if path is None:
        raise Refused(
            f"checkpoint {checkpoint.folder.name} could not be loaded; remove it to go on from the one before"
        )
    engine_state.complete_optimizer_state(engine, sum(point["targets"] > 0 for point in checkpoint.curve))
    engine_state.require_same_state(engine, store.job.training, checkpoint.state)
    return checkpoint.curve


def save_checkpoint(engine: Any, store: TrainingStore, curve: list[dict[str, Any]]) -> None:
    """Write a checkpoint. Every worker has to call this function, because each writes its own part."""
    path = store.checkpoint_folder(len(curve))
    with checkpoints.full_disk_as_unavailable(path):
        engine.save_checkpoint(
            str(path), tag=checkpoints.STATE_FOLDER, save_latest=False, exclude_frozen_parameters=True
        )
        if early_stopping.best_point(curve):
            store.add_best_weights_to(path)
    distributed.barrier()
    summary = engine_state.summarise_state(engine, store.job.training)  # collective: every worker calls it
    store.commit_checkpoint(
        path, Checkpoint(path, len(curve), curve, distributed.get_world_size(), summary, store.job.inputs_digest)
    )
