"""What preflight says of weights, gradients and optimizer is what DeepSpeed allocates, within two per cent."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.stages.train import loop
from tasks.stages.train.model import builders
from tasks.stages.train.model import engine as engines
from tasks.stages.train.preflight import memory, model_shape
from tasks.stages.train.rows import examples
from tasks.stages.train.rows.batches import collate
from tasks.stages.train.rows.order import RowOrder
from tests.soaking import soak
from tests.stages.train.conftest import FULL, MakeJob, training

pytestmark = pytest.mark.usefixtures("alone")


@contextmanager
def counted() -> Iterator[Callable[..., int]]:
    """Inside, how many bytes of tensors there are that were not there before, with those of given gradients: torch
    keeps them from Python until they are asked for.

    A compiler's tensors, left by another test of this process, have shapes and no memory.
    """
    gc.collect()
    gc.freeze()  # the collector hands out and looks through nothing that is there now

    def count(*grads: torch.Tensor) -> int:
        gc.collect()
        gc.collect()  # what the finalisers of the first let go
        held = {}
        for tensor in (*(it for it in gc.get_objects() if isinstance(it, torch.Tensor)), *grads):
            with suppress(RuntimeError, NotImplementedError):  # without memory, as torch says
                storage = tensor.untyped_storage()
                if storage.device.type != "meta":
                    held[storage.data_ptr()] = storage
        return sum(it.nbytes() for it in held.values())

    try:
        yield count
    finally:
        gc.unfreeze()


OF_BITSANDBYTES = 24_000
"""Bytes of tables and statistics that do not grow with the weights: of a tiny model they are four per cent."""
CASES = [(method, precision, stage) for method in ("lora", "full") for precision in ("fp32", "bf16")
         for stage in range(4)]  # fmt: skip
CASES += [(method, precision, 0) for method in ("dora", "qlora") for precision in ("fp32", "bf16")]
CASES += [("qlora", "bf16", 2)]
FEW = [
    ("full", "fp32", 0), ("full", "fp32", 2), ("full", "bf16", 0), ("full", "bf16", 1), ("full", "bf16", 3),
    ("lora", "bf16", 2), ("dora", "fp32", 0), ("qlora", "bf16", 2),
]  # fmt: skip
"""Each method, and each formula: in fp32 as in bf16 without ZeRO, with the stages that sum gradients in fp32."""


@pytest.mark.filterwarnings("ignore")  # of objects that are about to go, which the collector hands out
@pytest.mark.parametrize(("method", "precision", "stage"), [*FEW, *soak(it for it in CASES if it not in FEW)])
def test_the_memory_foretold_is_what_deepspeed_allocates(
    job: MakeJob, tiny: Path, monkeypatch: pytest.MonkeyPatch, method: str, precision: str, stage: int
) -> None:
    monkeypatch.setattr(builders, "ZERO_BUCKET_ELEMENTS", 100)
    monkeypatch.setattr(memory, "RUNTIME_BYTES", {"cpu": 0})
    changes: dict[str, Any] = {"precision": precision, "zero_stage": stage}
    changes |= {
        "lora": {"lora_rank": 64},
        "dora": {"lora_rank": 64, "lora_variant": "dora"},
        "qlora": {"lora_rank": 4, "method": "qlora"},
        "full": FULL,
    }[method]
    made = job(**changes)
    foretold = memory.estimate_memory(made.training, model_shape.read_model_shape(tiny), 1)
    with counted() as count:
        engine = engines.create_engine(made)
        order = RowOrder(examples.map_examples(made.rows), made.training)
        loop.take_step(engine, order, 0)
        for number in (1, 2):
            engine.backward(engine(collate(order.examples, order.rows_of_step(number))))
        grads = [weight.grad for weight in engine.module.parameters() if weight.grad is not None]
        found = count(*grads)
    beside = OF_BITSANDBYTES if method == "qlora" else 0
    assert found == pytest.approx(foretold.weights + foretold.gradients + foretold.optimizer + beside, rel=0.02)


def test_workers_share_what_zero_parts(tiny: Path) -> None:
    model = model_shape.read_model_shape(tiny)
    one = {stage: memory.estimate_memory(training(**FULL, zero_stage=stage), model, 1) for stage in (1, 2, 3)}
    four = {
        stage: memory.estimate_memory(training(**FULL, zero_stage=stage, workers=4), model, 1) for stage in (1, 2, 3)
    }
    for stage, name in ((1, "optimizer"), (2, "gradients"), (3, "weights")):
        assert getattr(four[stage], name) * 4 == pytest.approx(getattr(one[stage], name), rel=0.001)
        if stage > 1:
            assert getattr(four[stage - 1], name) == getattr(one[stage - 1], name)


def test_offloading_moves_to_the_machine(tiny: Path) -> None:
    model = model_shape.read_model_shape(tiny)
    here = memory.estimate_memory(training(**FULL, zero_stage=3), model, 1)
    there = memory.estimate_memory(training(**FULL, zero_stage=3, offload="cpu"), model, 1)
    assert there.host == here.weights + here.gradients + here.optimizer
    assert (there.weights, there.gradients, there.optimizer) == (0, 0, 0)
