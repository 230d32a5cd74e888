"""The same training under other passes, layouts, ZeRO stages and workers, who may come and go: the same loss at every
step."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tasks.core.files import tree_digest
from tasks.stages.train import early_stopping, log_follower, loop
from tasks.stages.train.job import Job
from tasks.stages.train.model import engine
from tasks.stages.train.recovery import checkpoints
from tests.soaking import soak
from tests.stages.train import plain_texts
from tests.stages.train.conftest import BY_DYNAMO, FULL, MakeJob, train_until_killed
from tests.stages.train.spawn import Workers

pytestmark = pytest.mark.usefixtures("alone")
LARGEST = 1e-5
"""Difference of a step's loss, in fp32."""
SETTINGS = {"global_batch_size": 10, "epochs": 2, "learning_rate": 1e-3, "validate_steps": 2}
"""24 rows in steps of 10: the last step of an epoch has 4, so that one of many workers has nothing to do."""


def losses(job: Job) -> list[float]:
    """Of every step, then of every look at the validation rows."""
    points = log_follower.read_log(job.training_log)
    return [point[name] for name in ("loss", early_stopping.VALIDATION_LOSS_KEY) for point in points if name in point]


def alone(job: Job) -> list[float]:
    loop.run_training(job)
    return losses(job)


@pytest.fixture
def made(job: MakeJob, folder28: Path) -> MakeJob:
    return partial(job, rows=folder28, **SETTINGS)


@pytest.fixture
def plain(trained: MakeJob, folder28: Path) -> Callable[[dict[str, Any]], Job]:
    """Return a function that trains in the plainest way with those settings that change the steps.

    That is with one worker, in one pass, and with rows that are not packed."""

    def of(changes: dict[str, Any]) -> Job:
        changing = {name: value for name, value in changes.items() if name in CHANGE_THE_STEPS}
        return trained(rows=folder28, **SETTINGS, **changing)

    return of


FEW = [
    {"micro_batch_tokens": 16},
    {"zero_stage": 2, "offload": "cpu", "attention": "eager"},
    {"order": "shuffled", "layout": "packed", "micro_batch_tokens": 300},
    {"method": "qlora", "zero_stage": 2, "micro_batch_tokens": 300, "gradient_checkpointing": True},
    {"lora_variant": "dora", "zero_stage": 2, "layout": "packed"},
    {**FULL, "zero_stage": 3, "layout": "packed", "micro_batch_tokens": 300, "gradient_checkpointing": True},
]
REST = [
    {"micro_batch_tokens": 300},
    {"layout": "packed"},
    {"gradient_checkpointing": True},
    {"attention": "eager"},
    {"attention": "sdpa"},
    {"zero_stage": 1},
    {"zero_stage": 2},
    {"zero_stage": 3},
    {"zero_stage": 3, "layout": "packed", "micro_batch_tokens": 300, "gradient_checkpointing": True},
    {"zero_stage": 2, "offload": "cpu"},
    {"layout": "packed", "micro_batch_tokens": 300},
    {"lora_variant": "rslora", "micro_batch_tokens": 300},
    {"lora_variant": "rslora", "zero_stage": 3, "micro_batch_tokens": 300},
    {"method": "qlora", "zero_stage": 2, "micro_batch_tokens": 300},
    {"method": "qlora", "layout": "packed", "gradient_checkpointing": True},
]
CHANGE_THE_STEPS = {"order", "lora_variant", *FULL}


@pytest.mark.parametrize("changes", [*FEW, *soak(REST)], ids=str)
def test_no_way_to_compute_changes_the_steps(
    made: MakeJob, plain: Callable[[dict[str, Any]], Job], changes: dict[str, Any]
) -> None:
    curve = alone(made(**changes))
    assert len(curve) == 6 + 3 and curve[5] < curve[0] and curve[8] < curve[6]
    assert curve == pytest.approx(losses(plain(changes)), abs=LARGEST)


@pytest.mark.soak
@pytest.mark.usefixtures("compiler")
@BY_DYNAMO
def test_compiled_layers_change_no_step_nor_does_a_kill(made: MakeJob) -> None:
    """With these settings alone, since each other form is compiled for half a minute. test_kernels.py shows each time
    that a compiled layer has the loss, the gradients and the names of a plain one."""
    settings = {"layout": "packed", "zero_stage": 2, "gradient_checkpointing": True, "checkpoint_steps": 2}
    plain = made("plain", **settings)
    whole, cut = (made(name, kernels="compiled", **settings) for name in ("whole", "cut"))
    curve = alone(whole)
    assert curve == pytest.approx(alone(plain), abs=LARGEST)
    train_until_killed(cut, 3)
    assert alone(cut) == curve
    assert tree_digest(cut.weights_folder) == tree_digest(whole.weights_folder)
    names = [load_file(job.weights_folder / "adapter_model.safetensors").keys() for job in (plain, whole)]
    assert names[0] == names[1]


FEW_OF_TWO = [
    {"zero_stage": 1, "layout": "packed"},
    {**FULL, "sequence_parallel": 2, "zero_stage": 2, "micro_batch_tokens": 150},
    {"sequence_parallel": 2, "zero_stage": 3, "layout": "packed", "micro_batch_tokens": 150},
]
REST_OF_TWO = [
    {},
    {"zero_stage": 2, "micro_batch_tokens": 300},
    {"zero_stage": 3},
    {"zero_stage": 3, "layout": "packed", "micro_batch_tokens": 300, "gradient_checkpointing": True},
    {**FULL, "zero_stage": 2},
    {**FULL, "zero_stage": 3, "offload": "cpu"},
    {"sequence_parallel": 2},
    {**FULL, "sequence_parallel": 2, "layout": "packed", "gradient_checkpointing": True},
    {**FULL, "sequence_parallel": 2, "zero_stage": 3, "micro_batch_tokens": 150},
]


@pytest.mark.slow
@pytest.mark.parametrize("changes", [*FEW_OF_TWO, *soak(REST_OF_TWO)], ids=str)
def test_two_workers_take_the_steps_of_one(
    made: MakeJob, plain: Callable[[dict[str, Any]], Job], pair: Workers, changes: dict[str, Any]
) -> None:
    one, two = plain(changes), made("two", workers=2, **changes)
    pair.train(two)
    assert losses(two) == pytest.approx(losses(one), abs=LARGEST)
    for path in one.weights_folder.glob("*.safetensors"):
        ours, theirs = load_file(path), load_file(two.weights_folder / path.name)
        assert ours.keys() == theirs.keys()
        for name, weight in ours.items():
            torch.testing.assert_close(theirs[name], weight, rtol=0.05, atol=2e-3)


@pytest.mark.slow
def test_two_workers_learn_from_plain_texts_what_one_does(
    job: MakeJob, pair: Workers, tiny: Path, tmp_path: Path
) -> None:
    rows = plain_texts.put_tokens(tiny, tmp_path / "tokens")
    changes = {"method": "qlora", "zero_stage": 2}
    one = replace(job("one", **SETTINGS, **changes), rows=rows)
    two = replace(job("two", workers=2, layout="packed", **SETTINGS, **changes), rows=rows)
    wanted = alone(one)
    pair.train(two)
    assert losses(two) == pytest.approx(wanted, abs=LARGEST)


RESHARDED = {
    "global_batch_size": 10, "learning_rate": 1e-3, "schedule": "constant", "warmup_share": 0, "checkpoint_steps": 2
}  # fmt: skip
"""A constant rate, so that a shorter training takes the first steps of a longer one. Steps of 10 and 10 and 4 rows."""


FEW_RESHARDED = [{}, {"zero_stage": 3}]
"""test_three_machines.py goes on by fewer workers under ZeRO 2."""
REST_RESHARDED = [
    {"zero_stage": 1, "sequence_parallel": 2},
    {"zero_stage": 2, **FULL},
]


@pytest.mark.slow
@pytest.mark.parametrize("changes", [*FEW_RESHARDED, *soak(REST_RESHARDED)], ids=str)
def test_two_workers_then_one_then_two(job: MakeJob, trained: MakeJob, pair: Workers, changes: dict[str, Any]) -> None:
    """No row is lost or taken twice, and the loss is that of one worker without ZeRO. With `sequence_parallel` 2 both
    take each pass together; the checkpoint is the same."""
    plain = {name: value for name, value in changes.items() if name in FULL}
    expected = log_follower.read_log(trained(**RESHARDED, epochs=3, **plain).training_log)
    made = job("parts", **RESHARDED, epochs=1, workers=2, **changes)
    pair.train(made)
    for epochs, workers in ((2, 1), (3, 2)):
        together = min(workers, changes.get("sequence_parallel", 1))
        going_on = made.training.model_copy(
            update={"epochs": epochs, "workers": workers, "sequence_parallel": together}
        )
        made = replace(made, training=going_on)
        pair.train(made) if workers == 2 else loop.run_training(made)
    curve = log_follower.read_log(made.training_log)
    assert [point["step"] for point in curve] == list(range(1, 10))
    assert sum("seconds" not in point for point in curve) == 6, "the last part began where the one before ended"
    assert [point["tokens"] for point in curve] == [point["tokens"] for point in expected], "the same rows"
    assert [point["loss"] for point in curve] == pytest.approx([point["loss"] for point in expected], abs=1e-5)


@pytest.mark.slow
def test_two_workers_end_after_the_same_step(job: MakeJob, pair: Workers) -> None:
    whole, made = job("whole", zero_stage=2), job("cut", zero_stage=2)
    made.end_request_file.touch()
    assert pair.answers(made) == ["asked to end after step 1\n"] * 2
    kept = checkpoints.newest_checkpoint(made.checkpoints, made.inputs_digest)
    assert kept and kept.step == 1
    made.end_request_file.unlink()
    pair.train(made)
    pair.train(whole)
    assert tree_digest(made.weights_folder) == tree_digest(whole.weights_folder)


@pytest.mark.parametrize("has_bf16", [True, False])
def test_a_pass_without_gradients_leaves_4_bit_weights_as_they_are(
    made: MakeJob, monkeypatch: pytest.MonkeyPatch, has_bf16: bool
) -> None:
    """Whatever bitsandbytes believes of the processor."""
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: has_bf16)
    model = engine.load_model(made(method="qlora")).eval()
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    with torch.no_grad():
        model(input_ids=torch.arange(9)[None])
    assert any(weight.dtype == torch.uint8 for weight in before.values())
    assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())
