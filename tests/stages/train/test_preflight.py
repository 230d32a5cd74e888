"""What is foretold of a training: whether it fits, what would make it fit, steps, hours and cost."""

import dataclasses
import re
import shlex
import shutil
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.core.errors import InputError, Unavailable
from tasks.core.machine import processor, resource_limits
from tasks.core.params.resources import Resources
from tasks.core.params.training_methods import lora
from tasks.stages.cluster.storage import training_storage
from tasks.stages.train import calibrate, log_follower, loop
from tasks.stages.train.base import base_model, model_files
from tasks.stages.train.preflight import estimate, machine_capacity, memory, model_shape, speed, workload
from tasks.stages.train.preflight.estimate import Estimate
from tasks.stages.train.preflight.speed import MeasuredSpeed, WorkerSpeed
from tasks.stages.train.rows import examples as on_disk
from tasks.stages.train.verification.trained_modules import linear_layer_shapes
from tests.stages.train.conftest import FULL, MakeJob, training

MIB = 1 / 1024
"""In GiB."""


def told(
    tiny: Path, rows: Path, memory: float = 1.0, measured: MeasuredSpeed | None = None, **changes: Any
) -> Estimate:
    settings, model = training(**changes), model_shape.read_model_shape(tiny)
    resources = Resources(memory_gib=memory, host_memory_gib=64, price_per_hour=2.0)
    available = machine_capacity.capacity_per_worker(settings, resources, tiny)
    return estimate.estimate_training(
        settings, model, resources, available, workload.count_workload(rows, settings, model.context_length), measured
    )


def test_the_shape_is_that_of_the_loaded_model(tiny: Path) -> None:
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    made = model_shape.read_model_shape(tiny)
    assert (made.layers, made.hidden_width, made.feed_forward_width, made.heads, made.context_length) == (
        3,
        96,
        256,
        4,
        4096,
    )
    for changes in ({}, {"lora_variant": "dora"}, {"lora_targets": ["q_proj", "down_proj"]}, {"lora_layers": 1}):
        model, settings = AutoModelForCausalLM.from_pretrained(tiny), training(**changes)
        assert made.parameter_count == model.num_parameters()
        adapted = get_peft_model(model, lora.build_lora_config(settings, linear_layer_shapes(model)))
        assert made.trained_weight_count(settings) == sum(it.numel() for it in adapted.parameters() if it.requires_grad)


@pytest.mark.parametrize("changes", [{}, {"micro_batch_tokens": 200, "global_batch_size": 5, "epochs": 1.5}], ids=str)
def test_steps_and_tokens_are_those_of_the_training(trained: MakeJob, tiny: Path, changes: dict[str, Any]) -> None:
    made = trained(**changes)
    curve = log_follower.read_log(made.training_log)
    work = told(tiny, made.rows, **changes).workload
    assert work is not None
    assert work.steps == len(curve)
    assert work.training_tokens == pytest.approx(sum(point["tokens"] for point in curve), rel=0.1)
    assert (work.rows, work.rows_too_long) == (24, 0)


def test_hours_and_cost_follow_from_tokens_speed_and_price(tiny: Path, folder24: Path) -> None:
    measured = MeasuredSpeed(tokens_per_second=400.0, run_id="r1", training=training(workers=2))
    it = told(tiny, folder24, measured=measured, epochs=30)
    assert it.speed.tokens_per_second == 200 and "run r1" in it.speed.source
    assert it.workload is not None
    assert it.hours == pytest.approx(it.workload.training_tokens / 200 / 3600)
    assert it.cost_usd == pytest.approx(it.hours * 2.0)
    two = told(tiny, folder24, measured=measured, epochs=30, workers=2)
    assert two.hours == pytest.approx(it.hours / 2) and two.cost_usd == pytest.approx(it.cost_usd)


def test_looks_at_the_validation_rows_take_time_and_no_steps(tiny: Path, folder28: Path) -> None:
    rows = on_disk.map_examples(folder28)
    measured = MeasuredSpeed(tokens_per_second=200.0, run_id="r1", training=training())
    asked = told(tiny, folder28, measured=measured, epochs=2, validate_steps=4)
    looks, tokens = 3, int(rows.row_lengths(rows.validation).sum())  # of 12 steps
    assert asked.workload and (asked.workload.steps, asked.workload.validation_tokens) == (12, looks * tokens)
    learnt = int(rows.row_lengths().sum()) - tokens
    assert asked.workload.training_tokens == 2 * learnt
    assert asked.hours == pytest.approx((2 * learnt + looks * tokens / 2) / 200 / 3600)  # LoRA: half is forward


def test_a_speed_says_where_it_comes_from(tiny: Path) -> None:
    model, measured = model_shape.read_model_shape(tiny), MeasuredSpeed(400.0, "r1", training())
    assert (
        "resources.tokens_per_second"
        in speed.estimate_speed(training(), model, Resources(tokens_per_second=7), measured).source
    )
    assert "run r1" in speed.estimate_speed(training(), model, Resources(), measured).source
    for other in (
        {"precision": "bf16"},
        {"threads": 2},
        {"gradient_checkpointing": True},
        {"layout": "packed"},
        {"lora_layers": 1},
    ):
        assert "assumed" in speed.estimate_speed(training(**other), model, Resources(), measured).source
    fewer = speed.estimate_speed(training(lora_layers=1), model, Resources(), None)
    assert fewer.tokens_per_second > speed.estimate_speed(training(), model, Resources(), None).tokens_per_second
    slower = speed.estimate_speed(training(gradient_checkpointing=True), model, Resources(), None)
    assert slower.tokens_per_second < speed.estimate_speed(training(), model, Resources(), None).tokens_per_second


@pytest.mark.parametrize("checkpointing", [False, True])
def test_fewer_layers_with_lora_keep_less_unless_layers_are_computed_again(tiny: Path, checkpointing: bool) -> None:
    """Then PEFT makes what goes into the first layer require a gradient, and the backward pass reaches it."""
    model = model_shape.read_model_shape(tiny)
    every, last = (
        memory.estimate_memory(training(gradient_checkpointing=checkpointing, **changes), model, 1000).activations
        for changes in ({}, {"lora_layers": 1})
    )
    assert (last == every) if checkpointing else (last < every)


def test_an_assumed_speed_is_about_what_was_measured(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of SmolLM2-135M on two threads (docs/decisions/training.md), to a fifth."""
    model = dataclasses.replace(model_shape.read_model_shape(tiny), weight_shapes={"weight": (134_515, 1000)})
    monkeypatch.setattr(processor, "has_bf16", lambda: True)
    for precision, measured in (("bf16", 810), ("fp32", 320)):
        assumed = speed.estimate_speed(training(precision=precision, threads=2), model, Resources(), None)
        assert assumed.tokens_per_second == pytest.approx(measured, rel=0.2)


def test_more_memory_than_there_is_in_the_world_is_as_good(tiny: Path, folder24: Path) -> None:
    assert told(tiny, folder24, memory=1e300).fits_memory


def test_a_gpu_is_assumed_to_give_no_more_than_it_can(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of this machine, else a common one; in the precision that is asked for."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    model = dataclasses.replace(model_shape.read_model_shape(tiny), weight_shapes={"weight": (70_000, 100_000)})

    def of(precision: str) -> WorkerSpeed:
        return speed.estimate_speed(training(device="gpu", precision=precision), model, Resources(), None)

    fast, slow = of("bf16"), of("fp32")
    assert "35% of the peak of NVIDIA H100 80GB HBM3" in fast.source and "346 TFLOPS" in fast.source
    assert fast.tokens_per_second / slow.tokens_per_second == pytest.approx(989.4 / 66.9)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA L4")
    assert of("bf16").tokens_per_second < fast.tokens_per_second / 8 and "NVIDIA L4" in of("bf16").source
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "of tomorrow")
    assert of("bf16") == fast


def test_workers_without_a_row_make_nothing_faster(tiny: Path, folder24: Path) -> None:
    few, many = (told(tiny, folder24, workers=workers, global_batch_size=2) for workers in (2, 8))
    assert (few.busy_workers, many.busy_workers) == (2, 2)
    hours = [dataclasses.replace(it, speed=WorkerSpeed(100, "given")).hours for it in (few, many)]
    assert hours[0] == hours[1] and many.cost_usd and few.cost_usd
    assert told(tiny, folder24, workers=8, sequence_parallel=2, global_batch_size=3).busy_workers == 6


def test_on_this_machine_more_threads_than_cores_are_no_faster(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def assumed(threads: int) -> float:
        return speed.estimate_speed(
            training(threads=threads), model_shape.read_model_shape(tiny), Resources(), None
        ).tokens_per_second

    monkeypatch.setattr(resource_limits, "cores", lambda: 2)
    assert assumed(64) == assumed(2) == 2 * assumed(1)
    shared = speed.estimate_speed(training(threads=2, workers=4), model_shape.read_model_shape(tiny), Resources(), None)
    assert shared.tokens_per_second == assumed(1) / 2
    monkeypatch.setenv("RAY_ADDRESS", "ray:6379")  # its machines may have more
    assert assumed(64) == 32 * assumed(2)


@pytest.mark.slow
def test_a_speed_is_calibrated_by_real_steps(
    tiny: Path, folder24: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calibrate, "MEASUREMENT_SECONDS", 1.0)
    model, wanted = model_shape.read_model_shape(tiny), training(workers=2, micro_batch_tokens=200)
    found = calibrate.calibrate_speed(wanted, model, tiny, folder24, "r1", tmp_path)
    assert found.steps >= 1 and found.seconds >= 1 and 10 < found.tokens_per_second < 1e6
    it = speed.estimate_speed(wanted, model, Resources(tokens_per_second=7), None, found)
    assert it.tokens_per_second == found.tokens_per_second
    assert re.match(r"calibrated on this machine: \d+ steps in \d+ s, one worker alone, on rows of run r1$", it.source)


@pytest.mark.usefixtures("alone")
def test_where_nobody_has_tokenised_rows_they_are_made_up(job: MakeJob, tmp_path: Path) -> None:
    calibrate.write_generated_rows(tmp_path / "rows", 48, 259)
    made = dataclasses.replace(job(global_batch_size=16), rows=tmp_path / "rows")
    told = calibrate.measure_steps(made, 0.0)
    assert (told["steps"], told["tokens"]) == (1, 16 * 48) and told["seconds"] > 0


def test_a_calibration_that_gets_nowhere_says_why(
    tiny: Path, folder24: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "raise MemoryError('one thing more')"
    monkeypatch.setattr(calibrate, "worker_python_command", lambda: shlex.join([sys.executable, "-I", "-c", code]))
    words = r"got through no step \(exit code 1\): MemoryError: one thing more; leave --calibrate out"
    with pytest.raises(Unavailable, match=words):
        calibrate.calibrate_speed(training(), model_shape.read_model_shape(tiny), tiny, folder24, "r1", tmp_path)


@pytest.mark.slow
@pytest.mark.soak
def test_a_calibration_of_a_model_that_is_none_says_why(tiny: Path, folder24: Path, tmp_path: Path) -> None:
    broken = tmp_path / "model"
    shutil.copytree(tiny, broken)
    (broken / "config.json").write_text("{}")
    with pytest.raises(Unavailable, match=r"got through no step \(exit code 1\): .*leave --calibrate out"):
        calibrate.calibrate_speed(training(), model_shape.read_model_shape(tiny), broken, folder24, "r1", tmp_path)


def test_what_fits_needs_no_change(tiny: Path, folder24: Path) -> None:
    it = told(tiny, folder24)
    assert it.fits_memory and estimate.find_remedies(it) == {}
    estimate.require_fit(it)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"global_batch_size": 24}, {"micro_batch_tokens"}),
        ({"global_batch_size": 1}, {"gradient_checkpointing"}),
    ],
)
def test_the_first_change_with_which_it_fits_is_named(
    tiny: Path, folder24: Path, changes: dict[str, Any], expected: set[str]
) -> None:
    needs = told(tiny, folder24, **changes).memory
    has = (needs.device - needs.activations * 0.4) / estimate.GIB
    it = told(tiny, folder24, memory=has, **changes)
    assert it.fits_memory is False
    found = estimate.find_remedies(it)
    assert found is not None and set(found) >= expected
    assert told(tiny, folder24, memory=has, **changes, **found).fits_memory


def test_more_than_there_is_of_what_is_certain_is_refused(tiny: Path, folder24: Path) -> None:
    with pytest.raises(InputError, match=r"a worker needs 0.0 GiB for weights, .* and has 0.0 GiB; take more machines"):
        estimate.require_fit(told(tiny, folder24, memory=3 * MIB, **FULL))
    it = told(tiny, folder24, memory=1, **FULL)
    with pytest.raises(InputError, match=r"checkpoints and weights take .* GiB are free; make room"):
        estimate.require_fit(dataclasses.replace(it, capacity=dataclasses.replace(it.capacity, disk_bytes=1000)))


def test_of_a_cluster_only_what_somebody_said_is_known(
    tiny: Path, folder24: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = Resources()
    for name in ("RAY_ADDRESS", training_storage.LOCATION_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    here = machine_capacity.capacity_per_worker(training(), nothing, tiny)
    assert machine_capacity.capacity_per_worker(training(), nothing, tiny / "not" / "made").disk_bytes
    assert (
        machine_capacity.capacity_per_worker(training(), Resources(memory_gib=80), tiny).disk_bytes is None
    )  # that of another machine
    assert None not in dataclasses.astuple(here)
    monkeypatch.setenv("RAY_ADDRESS", "somewhere:6379")
    monkeypatch.setenv(training_storage.LOCATION_VARIABLE, "")
    there = machine_capacity.capacity_per_worker(training(), nothing, tiny)
    assert (there.device_bytes, there.host_bytes) == (None, None) and there.disk_bytes  # the machines share it
    monkeypatch.setenv(training_storage.LOCATION_VARIABLE, "s3://bucket/training")
    assert machine_capacity.capacity_per_worker(training(), nothing, tiny) == machine_capacity.MachineCapacity(
        None, None, None
    )
    known = machine_capacity.capacity_per_worker(training(workers=3), Resources(memory_gib=2, host_memory_gib=3), tiny)
    assert known == machine_capacity.MachineCapacity(
        2 * machine_capacity.GIB, 3 * machine_capacity.GIB, None
    )  # the three may be on three machines
    monkeypatch.delenv("RAY_ADDRESS")
    known = machine_capacity.capacity_per_worker(training(workers=3), Resources(memory_gib=2, host_memory_gib=3), tiny)
    assert (known.device_bytes, known.host_bytes) == (2 * machine_capacity.GIB, machine_capacity.GIB)


def test_whether_what_is_offloaded_fits_is_known_where_the_host_is(tiny: Path, folder24: Path) -> None:
    it = told(tiny, folder24, memory=4, device="gpu", zero_stage=2, offload="cpu")
    assert it.memory.host and it.fits_memory
    unknown = dataclasses.replace(it, capacity=dataclasses.replace(it.capacity, host_bytes=None))
    assert unknown.fits_memory is None and estimate.find_remedies(unknown) == {}
    short = dataclasses.replace(it, capacity=dataclasses.replace(it.capacity, host_bytes=1))
    assert short.fits_memory is False
    with pytest.raises(InputError, match=r"of its machine for what is offloaded, and has on one 0.0 GiB"):
        estimate.require_fit(short, "on one ")


@pytest.mark.usefixtures("alone")
def test_a_worker_looks_at_its_own_machine_before_it_loads_a_model(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def of_worker(wanted: Any) -> machine_capacity.MachineCapacity:
        seen.append(wanted.workers)
        return machine_capacity.MachineCapacity(1000, 1 << 40, None)

    monkeypatch.setattr(machine_capacity, "worker_capacity", of_worker)
    monkeypatch.delattr(loop, "load_engine")
    words = rf"a worker needs 0.0 GiB for weights, .* and has on {socket.gethostname()} 0.0"
    with pytest.raises(InputError, match=words):
        loop.run_training(job(workers=8, least_workers=1, zero_stage=3))
    assert seen == [1]  # as many as there are


def test_workers_beside_each_other_share_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "0")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")
    alone = machine_capacity.worker_capacity(training()).device_bytes
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert alone and machine_capacity.worker_capacity(training()).device_bytes == alone // 4


def test_a_header_of_a_million_tensors_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes((model_files.MAX_HEADER_BYTES + 1).to_bytes(8, "little") + b"{}")
    with pytest.raises(InputError, match=r"the header of model.safetensors has 16,777,217 bytes"):
        model_shape.read_model_shape(tmp_path)
    with pytest.raises(InputError, match=r"the header of model.safetensors has 16,777,217 bytes"):
        base_model.count_parameters(tmp_path)


def test_a_model_that_says_nothing_of_its_size_is_refused(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"expected weights as \*.safetensors, found none"):
        model_shape.read_model_shape(tmp_path)
    shutil.copyfile(tiny / "model.safetensors", tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"expected hidden_size or n_embd or d_model in it"):
        model_shape.read_model_shape(tmp_path)


@pytest.mark.parametrize("method", [{"method": "qlora"}, {"lora_variant": "dora"}, {}], ids=str)
@pytest.mark.parametrize("workers", [1, 4])
def test_advice_is_what_the_parameters_take(tiny: Path, folder24: Path, method: dict[str, Any], workers: int) -> None:
    """ZeRO 3 would make it fit, and neither QLoRA nor DoRA can have it."""
    changes = {"device": "gpu", "precision": "bf16", "workers": workers, "lora_rank": 1024, **method}
    needs = told(tiny, folder24, **changes).memory
    has = (needs.device - needs.optimizer - needs.activations * 0.9 - needs.buffers * 0.1) / estimate.GIB
    found = estimate.find_remedies(told(tiny, folder24, memory=has, **changes))
    assert found is None or training(**{**changes, **found})


def test_on_a_cpu_what_is_offloaded_lies_in_the_same_memory(tiny: Path, folder24: Path) -> None:
    changes = {**FULL, "zero_stage": 3, "offload": "cpu"}
    needs = told(tiny, folder24, **changes).memory
    assert told(tiny, folder24, memory=(needs.device + needs.host / 2) / estimate.GIB, **changes).fits_memory is False
    assert told(tiny, folder24, memory=(needs.device + needs.host) * 1.01 / estimate.GIB, **changes).fits_memory


def test_weights_that_lie_there_twice_count_once_and_positions_get_no_adapter(tiny: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny, tmp_path / "model")
    shutil.copyfile(tiny / "model.safetensors", tmp_path / "model" / "consolidated.safetensors")
    assert model_shape.read_model_shape(tmp_path / "model") == model_shape.read_model_shape(tiny)
    made = dataclasses.replace(
        model_shape.read_model_shape(tiny), weight_shapes={"wpe.weight": (1024, 96), "h.0.fc.weight": (96, 256)}
    )
    assert set(made.linear_weight_shapes()) == {"h.0.fc.weight"}
