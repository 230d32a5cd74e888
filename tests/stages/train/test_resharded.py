"""A training goes on with other workers than it began with: no row is lost or taken twice, and the loss is the same."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.core.errors import Unavailable
from tasks.stages.train import loop, watch
from tasks.stages.train.job import Job
from tasks.stages.train.keeping.home import Home
from tasks.stages.train.recovery import checkpoints, resharded
from tests.soaking import soak
from tests.stages.train.conftest import Killed, killed_after
from tests.stages.train.spawn import Workers
from tests.stages.train.test_going_on import Called

pytestmark = [pytest.mark.usefixtures("alone"), pytest.mark.slow]
MakeJob = Callable[..., Job]
SETTINGS = {
    "global_batch_size": 10, "learning_rate": 1e-3, "schedule": "constant", "warmup_share": 0, "checkpoint_steps": 2
}  # fmt: skip
"""A constant rate, so that a shorter training takes the first steps of a longer one. Steps of 10 and 10 and 4 rows."""


FEW = [{}, {"zero_stage": 3}]
"""test_three_machines.py goes on by fewer workers under ZeRO 2."""
REST = [
    {"zero_stage": 1, "sequence_parallel": 2},
    {"zero_stage": 2, "method": "full", "lora_rank": None, "lora_alpha": None},
]


@pytest.mark.parametrize("changes", [*FEW, *soak(REST)], ids=str)
def test_two_workers_then_one_then_two(job: MakeJob, pair: Workers, changes: dict[str, Any]) -> None:
    """With `sequence_parallel` 2 both take each pass together; the checkpoint is the same."""
    whole = job("whole", **SETTINGS, epochs=3, **{**changes, "sequence_parallel": 1})
    loop.train(whole)
    expected = watch.read_record(whole.record)
    made = job("parts", **SETTINGS, epochs=1, workers=2, **changes)
    pair.train(made)
    for epochs, workers in ((2, 1), (3, 2)):
        together = min(workers, changes.get("sequence_parallel", 1))
        going_on = made.training.model_copy(
            update={"epochs": epochs, "workers": workers, "sequence_parallel": together}
        )
        made = replace(made, training=going_on)
        pair.train(made) if workers == 2 else loop.train(made)
    curve = watch.read_record(made.record)
    assert [point["step"] for point in curve] == list(range(1, 10))
    assert sum("seconds" not in point for point in curve) == 6, "the last part began where the one before ended"
    assert [point["tokens"] for point in curve] == [point["tokens"] for point in expected], "the same rows"
    assert [point["loss"] for point in curve] == pytest.approx([point["loss"] for point in expected], abs=1e-5)


@pytest.mark.attack(rights="disk", stopped="code in a checkpoint is not run as it is converted")
def test_what_lies_in_a_checkpoint_of_other_workers_is_not_run(job: MakeJob, tmp_path: Path) -> None:
    made = job("cut", checkpoint_steps=2, zero_stage=2)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Home, "tell", killed_after(3))
        loop.train(made)
    folder = made.checkpoints / "step-000000002"
    for file in (folder / checkpoints.STATE).glob("*.pt"):
        torch.save({**torch.load(file, weights_only=False), "more": Called(tmp_path / "made")}, file)
    of_two = replace(checkpoints.read_manifest(folder)[0], workers=2)
    with pytest.raises(Unavailable, match="of 2 workers cannot be brought into the form for another number"):
        resharded.convert(of_two, tmp_path / "out")
    assert not (tmp_path / "made").exists()
