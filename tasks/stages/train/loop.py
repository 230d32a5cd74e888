"""Training loop of a worker: optimizer steps over its share of the rows, validations and checkpoints."""

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
from tasks.stages import libraries
from tasks.stages.cluster import versions
from tasks.stages.peak_memory import peak_bytes
from tasks.stages.train import builders, early_stopping, exchange, export, validation
from tasks.stages.train import engine as engines
from tasks.stages.train.effort import Effort
from tasks.stages.train.job import Job
from tasks.stages.train.keeping import away
from tasks.stages.train.keeping.home import Home
from tasks.stages.train.preflight import estimate, room, shape
from tasks.stages.train.proof import layout, state
from tasks.stages.train.proof.step import FirstStep, Tally
from tasks.stages.train.recovery import checkpoints, data_alone, resharded, unfit, watchdog
from tasks.stages.train.recovery.attempts import MachinesChange, OutOfMemory
from tasks.stages.train.recovery.checkpoints import Checkpoint
from tasks.stages.train.recovery.divergence import diverged, left_out, require_sane
from tasks.stages.train.rows import examples as on_disk
from tasks.stages.train.rows import passes
from tasks.stages.train.rows.batches import all_share, collate
from tasks.stages.train.rows.order import Order, Rows
from tasks.stages.train.shares import Shares
from tasks.stages.train.target_loss import can_share_prefix
from tasks.stages.train.workers import gathered


def work(job: Job) -> None:
    """Train as one of the workers, after checking that all of them have the same library versions."""
    with unfit.agreed(job):
        job.versions.require_here(builds=False)
    everyone = gathered((socket.gethostname(), versions.of_here()))
    with unfit.agreed(job):
        versions.require_alike(everyone, distributed.get_rank())
    if not methods.of(job.training.method).quantised:
        libraries.hide("bitsandbytes")
    train(job)


def train(job: Job) -> None:
    """Train from the newest checkpoint, if there is one, to the last step, and export the weights."""
    home = away.of(job)
    job, training = home.job, home.job.training
    with unfit.agreed(job):
        require_memory(job)
    gpu = training.device == "gpu"
    prepare(training)
    checkpoint = home.newest()
    engine = loaded(job, checkpoint)
    libraries.are_loaded()
    order = Order(on_disk.read(job.rows), training)
    within_memory(partial(prove_layout, engine, order), 0, training)
    curve = resume(engine, home, checkpoint)
    home.begin(curve)
    first, shares, effort = True, Shares(engine.device), Effort(job)
    with (
        watchdog.guarded(home.stack(distributed.get_rank()), builders.step_seconds(training)) as dog,
        exchange.within(partial(shares.of, "communication")),
    ):
        for number in range(len(curve), order.steps):
            if early_stopping.over(curve, training.patience):
                break
            began, took = time.monotonic(), {}
            if number in job.skipped:
                point = left_out(order, number, curve)
            else:
                fresh = not any(it["targets"] for it in curve)
                watched = FirstStep(engine, training, fresh) if first else None
                point = within_memory(partial(take_step, engine, order, number, watched, shares), number, training)
                require_sane(point, curve, order)
                first = False
                took = effort.of(order, number, time.monotonic() - began)
            curve.append(point)
            seconds, held = time.monotonic() - began, peak_bytes(gpu)
            if early_stopping.due(order, len(curve)):
                dog.fed(builders.FIRST_STEP)
                look(engine, home, order, curve, shares, dog)
                took["look_seconds"] = time.monotonic() - began - seconds
            home.tell({**point, **took, "peak_bytes": held, "seconds": seconds})
            order.examples.release()  # reading a row maps 64 KB of the file around it
            last = len(curve) == order.steps or early_stopping.over(curve, training.patience)
            due = last or len(curve) % training.checkpoint_steps == 0
            change = None if last else home.change(len(curve), due)
            if due or change:
                dog.fed(builders.FIRST_STEP, home.patience)
                with shares.of("checkpoint"):
                    save(engine, home, curve)
            if change:
                home.settle()
                raise MachinesChange(f"{change} after step {len(curve)}")
            dog.fed()
    with shares.of("checkpoint"):
        home.settle()
    if early_stopping.best(curve):
        home.take_best()
    else:
        export.write(engine, job.model, training, job.output)
    home.finish({"peak_bytes": peak_bytes(gpu), "seconds": shares.seconds, "mfu_of": effort.source})


def require_memory(job: Job) -> None:
    """Raise InputError if this worker's machine has too little memory for its part of the model."""
    training = job.training.model_copy(update={"workers": distributed.get_world_size()})
    own = estimate.of(training, shape.read(job.model), Resources(), room.of_worker(training), None)
    estimate.require(own, f"on {socket.gethostname()} ")


def prepare(training: Training) -> None:
    """Set torch's number of threads and make its results reproducible."""
    torch.set_num_threads(training.threads)
    # Some GPU kernels have no deterministic form.
    torch.use_deterministic_algorithms(True, warn_only=training.device == "gpu")
    # Filling new tensors, which are written before they are read anyway, took 9 % of a step.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # torch stubs lack it


def loaded(job: Job, checkpoint: Checkpoint | None) -> Any:
    """Return the DeepSpeed engine with the model.

    Raises:
        Unavailable: The model does not fit into memory. Smaller forward passes, the remedy for OutOfMemory, would not
            help.
    """
    universal = resharded.needed(checkpoint, job.training, distributed.get_world_size())
    try:
        return within_memory(partial(engines.start, job, universal), 0, job.training)
    except OutOfMemory:
        raise Unavailable(
            "out of memory while the model is loaded; `hallmark preflight` says what would fit, and needs no device"
        ) from None


Result = TypeVar("Result")
OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "not enough memory")
"""Parts of messages by which torch reports lack of memory in a plain RuntimeError."""


def within_memory(step: Callable[[], Result], number: int, training: Training) -> Result:
    """Call `step` and return its result.

    Raises:
        OutOfMemory: The device has too little memory for a forward pass.
    """
    try:
        return step()
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if isinstance(error, MemoryError) or any(words in str(error) for words in OUT_OF_MEMORY):
            raise OutOfMemory(
                f"out of memory in step {number + 1}, in passes of up to {training.micro_batch_tokens} tokens"
            ) from None
        raise


def prove_layout(engine: Any, order: Order) -> None:
    """Verify one forward pass of the first steps, before any training.

    Of these passes it takes the one in which the worker with the fewest rows has most.
    """
    training, size = order.training, distributed.get_world_size()
    best: list[Rows] = []
    for number in range(min(order.steps, layout.LOOKED_AT)):
        rows = order.step(number)
        plan = passes.plan(order.examples.lengths(rows), training, size)
        for forward in range(plan.count):
            groups = [rows[group] for group in plan.of(forward)]
            if not best or min(map(len, groups)) > min(map(len, best)):
                best = groups
    layout.prove(engine, order.examples, best, training, can_share_prefix(engine.module, training))


def take_step(
    engine: Any, order: Order, number: int, first: FirstStep | None = None, shares: Shares | None = None
) -> dict[str, Any]:
    """Take one optimizer step and return its entry for the training log.

    The loss is the mean over the target tokens of all workers and forward passes. `first`, if given, verifies the step;
    `shares` measures the time of its parts.
    """
    shares = shares or Shares()
    shares.step(number)
    training, rank, size = order.training, distributed.get_rank(), distributed.get_world_size()
    examples, rows = order.examples, order.step(number)
    lengths, targets = examples.lengths(rows), int(examples.targets(rows).sum())
    plan, together = passes.plan(lengths, training, size), engine.module.together
    rate = builders.learning_rate(training, number, order.steps)
    for group in engine.optimizer.param_groups:
        group["lr"] = rate
    torch.manual_seed((training.seed + number) * size + rank)  # for dropout; by step, so that resuming is exact
    share, tally = can_share_prefix(engine.module, training), Tally(engine.device, together.size)
    for forward in range(plan.count):
        groups = [rows[group] for group in plan.of(forward)]
        with shares.of("data"):
            shared = share and all_share(examples, groups)
            own = groups[together.group]
            batch = together.mine(collate(examples, own, training.packed, shared)).to(engine.device)
        with shares.of("forward"):
            loss = engine(batch)
        tally.add(loss, batch, own)
        if first:
            first.take_pass(loss)
        # DeepSpeed averages over workers and sums over passes; the step needs the mean over tokens.
        with shares.of("backward"):
            engine.backward(loss * (size / targets))
    with shares.of("communication"):  # waits for the slowest worker
        mean = tally.close(number, rows, targets) / targets
    if not math.isfinite(mean):
        raise diverged(number, f"is {mean}", rows)
    with shares.of("optimizer"):
        engine.step()
    if not math.isfinite(norm := float(engine.get_global_grad_norm())):
        raise diverged(number, f"has a gradient of {norm}", rows)  # DeepSpeed would skip the step silently
    if first:
        first.close(targets)
    return {
        "step": number + 1,
        "loss": round(mean, 6),
        "lr": rate,
        "grad_norm": round(norm, 6),
        "tokens": int(lengths.sum()),
        "targets": targets,
    }


def look(
    engine: Any, home: Home, order: Order, curve: list[dict[str, Any]], shares: Shares, dog: watchdog.Watchdog
) -> None:
    """Compute the validation loss, add it to the last point of the curve, and keep the weights if it is the lowest."""
    number = len(curve) - 1
    with shares.of("validation"):
        loss = within_memory(partial(validation.loss, engine, order, dog.fed), number, order.training)
        if not math.isfinite(loss):
            raise diverged(number, f"makes that of the validation rows {loss}", order.step(number))
        curve[-1][early_stopping.LOSS] = loss
        if early_stopping.best(curve) is curve[-1]:
            dog.fed(builders.FIRST_STEP)
            folder = home.fresh_best()
            with checkpoints.writing(home.job.scratch):
                export.write(engine, home.job.model, order.training, folder)


def resume(engine: Any, home: Home, checkpoint: Checkpoint | None) -> list[dict[str, Any]]:
    """Load the checkpoint into the engine and return its curve; without a checkpoint, return an empty curve."""
    if checkpoint is None:
        return []
    if early_stopping.best(checkpoint.curve):
        home.go_on_with_best(checkpoint.folder)
    folder = checkpoint.folder
    if resharded.needed(checkpoint, home.job.training, distributed.get_world_size()):
        folder = home.job.scratch / resharded.FOLDER
        if home.leads:
            resharded.convert(checkpoint, folder)
        distributed.barrier()
    with data_alone.read(checkpoint.folder.name):
        path, _ = engine.load_checkpoint(str(folder), tag=checkpoints.STATE, load_module_strict=False)
    if path is None:
        raise Refused(
            f"checkpoint {checkpoint.folder.name} could not be loaded; remove it to go on from the one before"
        )
    state.settle(engine, sum(point["targets"] > 0 for point in checkpoint.curve))
    state.require_same(engine, checkpoint.state)
    return checkpoint.curve


def save(engine: Any, home: Home, curve: list[dict[str, Any]]) -> None:
    """Write a checkpoint. Every worker calls it and writes its own part."""
    path = home.aside(len(curve))
    with checkpoints.writing(path):
        engine.save_checkpoint(str(path), tag=checkpoints.STATE, save_latest=False, exclude_frozen_parameters=True)
        if early_stopping.best(curve):
            home.put_best(path)
    distributed.barrier()
    told = state.of(engine)  # collective: every worker calls it
    home.keep(path, Checkpoint(path, len(curve), curve, distributed.get_world_size(), told, home.job.inputs))
