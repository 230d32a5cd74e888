"""What a step takes of its devices: operations as torch counts them, peaks by name, fill; none where nobody knows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tasks.stages.train import log_follower, loop
from tasks.stages.train.measurement.utilisation import Utilisation
from tasks.stages.train.model import engine as engines
from tasks.stages.train.model import lora_products
from tasks.stages.train.preflight import device_peak, model_shape, operations
from tasks.stages.train.rows.batches import collate
from tasks.stages.train.rows.examples import Examples
from tasks.stages.train.rows.order import RowOrder
from tests.stages.train.conftest import FULL, MakeJob, training


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    "changes", [FULL, {}, {"lora_rank": 64}, {"lora_targets": ["q_proj", "down_proj"]}, {"lora_layers": 1}], ids=str
)
def test_operations_are_those_that_torch_counts(
    job: MakeJob, tiny: Path, rows24: Examples, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row at a time, so that nothing is padded or shared. torch leaves out what the first layer need not hand on.
    It counts no product that is added in place, so LoRA's are PEFT's here: the same operations."""
    monkeypatch.setattr(lora_products, "replace_lora_forward", lambda model: None)
    made = job(attention="eager", **changes)
    engine, rows = engines.create_engine(made), [0, 4, 17]
    with FlopCounterMode(display=False) as counter:
        for row in rows:
            engine.module(collate(rows24, [row])).backward()
    needed = operations.count_operations(made.training, model_shape.read_model_shape(tiny))
    assert needed
    assert needed.count_for_rows(rows24.row_lengths(rows), rows24.target_counts(rows)) == pytest.approx(
        counter.get_total_flops(), rel=0.06
    )


def test_a_frozen_model_takes_two_thirds(tiny: Path) -> None:
    model = model_shape.read_model_shape(tiny)
    full, lora = (
        operations.count_operations(training(**FULL), model),
        operations.count_operations(training(lora_rank=1), model),
    )
    assert full and lora
    assert lora.per_target / full.per_target == pytest.approx(2 / 3)
    assert lora.per_token / full.per_token == pytest.approx(2 / 3, rel=0.03)
    assert lora.per_token_pair == full.per_token_pair


def test_of_a_mixture_of_experts_nothing_is_said(tiny: Path) -> None:
    made = model_shape.read_model_shape(tiny)
    mixed = replace(
        made, weight_shapes={**made.weight_shapes, "model.layers.0.mlp.experts.0.up_proj.weight": (256, 96)}
    )
    assert operations.count_operations(training(), mixed) is None


@pytest.mark.parametrize(
    ("name", "precision", "tera"),
    [("NVIDIA H100 80GB HBM3", "bf16", 989.4), ("NVIDIA H100 PCIe", "bf16", 756), ("NVIDIA A10", "fp32", 31.2)],
)
def test_a_peak_goes_by_the_whole_name(name: str, precision: str, tera: float) -> None:
    peak = device_peak.gpu_peak(name, precision)
    assert peak.operations == tera * 1e12 and name in peak.source


@pytest.mark.parametrize("name", ["NVIDIA A10G", "NVIDIA GeForce RTX 4090", "NVIDIA H100 80GB HBM3 MIG 1g.10gb", ""])
def test_no_peak_is_guessed(name: str) -> None:
    assert device_peak.gpu_peak(name, "bf16").operations is None


@pytest.mark.usefixtures("alone")
def test_where_no_peak_is_known_the_other_figures_are_told(
    job: MakeJob, rows24: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_peak, "worker_peak", lambda _: device_peak.gpu_peak("a new one", "bf16"))
    made = job()
    effort = Utilisation(made)
    assert set(effort.measure_step(RowOrder(rows24, made.training), 0, 1.0)) == {"positions"}
    assert effort.peak_source is None


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("layout", ["padded", "packed"])
def test_a_training_tells_what_each_step_took(
    job: MakeJob, rows24: Examples, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if this were a device that is a thousand times as fast: measured peaks depend on what else runs."""
    monkeypatch.setattr(device_peak, "worker_peak", lambda _: device_peak.gpu_peak("NVIDIA H100 PCIe", "bf16"))
    made = job(layout=layout, order="shuffled")
    loop.run_training(made)
    points = log_follower.read_log(made.training_log)
    order = RowOrder(rows24, made.training)
    for number, point in enumerate(points):
        lengths = rows24.row_lengths(order.rows_of_step(number))
        wide = int(lengths.sum() if layout == "packed" else lengths.max() * len(lengths))
        assert point["positions"] == wide
        assert point["peak_bytes"] > 1e8 and 0 < point["mfu"] < 1
    assert (
        log_follower.filled_share(points) == 1 if layout == "packed" else 0.4 < log_follower.filled_share(points) < 0.99
    )
    assert 0 < log_follower.mean_mfu(points) < 1


def test_figures_of_steps_that_nobody_timed_are_left_out() -> None:
    told = [{"tokens": 90, "positions": 100, "mfu": 0.2, "seconds": 1}, {"tokens": 10, "positions": 100, "seconds": 9}]
    assert log_follower.filled_share([{"tokens": 7}, *told]) == 0.5
    assert log_follower.mean_mfu(told) == 0.2
    assert log_follower.filled_share([{"tokens": 7}]) is None and log_follower.mean_mfu([{"tokens": 7}]) is None


def test_a_processor_is_measured() -> None:
    torch.set_num_threads(1)
    peak = device_peak.worker_peak(training())
    assert peak.operations and 1e9 < peak.operations < 1e13
    assert "measured on this CPU" in peak.source
