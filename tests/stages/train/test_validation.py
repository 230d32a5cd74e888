"""Rows that no step learns from say which weights were best, and when to stop."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from tasks.core.files import read_json, tree_digest
from tasks.stages.train import early_stopping, log_follower, loop
from tasks.stages.train.coordinator import USER_LINES_FILE
from tasks.stages.train.job import Job
from tasks.stages.train.recovery import checkpoints
from tasks.stages.train.rows import examples as on_disk
from tasks.stages.train.rows.examples import Examples
from tasks.stages.train.rows.order import RowOrder
from tasks.stages.train.train import CURVE_KEYS, completed_epochs
from tests.shared import made_once
from tests.soaking import soak
from tests.stages.train.conftest import VALIDATING, MakeJob, copied, put_rows, rendered, training

pytestmark = pytest.mark.usefixtures("alone")
OVERFITS = {
    "epochs": 30, "validate_steps": 2, "checkpoint_steps": 4, "schedule": "constant", "lora_dropout": 0.5, "patience": 3
}  # fmt: skip


@pytest.fixture(scope="session")
def folder(tiny: Path, trainings: Path) -> Path:
    """27 rows; those of one queue validate. The more a model knows of the other two, the less it expects this one."""
    return made_once(trainings / "27", lambda folder: put_rows(folder, rendered(tiny, 27), range(2, 27, 3)))


@pytest.fixture
def made(job: MakeJob, folder: Path) -> MakeJob:
    return partial(job, rows=folder)


@pytest.fixture
def best(trained: MakeJob, folder: Path) -> Job:
    """A training that stopped early, since its validation loss got no better. Read only."""
    return trained(folder, **OVERFITS)


def curve(job: Job) -> list[dict[str, Any]]:
    return [
        {name: point[name] for name in CURVE_KEYS if name in point} for point in log_follower.read_log(job.training_log)
    ]


def looks(job: Job) -> dict[int, float]:
    """Validation loss by step."""
    return {
        point["step"]: point[early_stopping.VALIDATION_LOSS_KEY]
        for point in curve(job)
        if early_stopping.VALIDATION_LOSS_KEY in point
    }


def plain_loss(model: Any, rows: Examples) -> float:
    """Over the validation rows, one after the other, by transformers' own loss."""
    total = 0.0
    for row in rows.validation:
        tokens = torch.tensor(rows.row_tokens(row))[None]
        labels = tokens.clone()
        labels[0, : rows.target_starts[row]] = -100
        with torch.no_grad():
            total += model(tokens, labels=labels).loss.item() * int(rows.target_counts([row])[0])
    return total / int(rows.target_counts(rows.validation).sum())


@given(st.integers(1, 60).flatmap(lambda size: st.tuples(st.just(size), st.sets(st.integers(0, size - 1)))))
def test_the_rows_that_are_learnt_from_are_all_others(drawn: tuple[int, set[int]]) -> None:
    size, validating = drawn
    rows = Examples(*(np.zeros(size, np.int64),) * 3, np.array(sorted(validating), np.int64))
    learnt = rows.training_indices(np.arange(size - len(validating)))
    assert learnt.tolist() == [row for row in range(size) if row not in validating]


@pytest.mark.parametrize("order", ["by_length", "shuffled"])
def test_every_epoch_takes_each_of_them_once(folder28: Path, order: str) -> None:
    steps = RowOrder(on_disk.map_examples(folder28), training(epochs=2, order=order))
    assert steps.step_count == 12
    for epoch in (range(6), range(6, 12)):
        rows = np.concatenate([steps.rows_of_step(number) for number in epoch])
        assert sorted(rows) == [row for row in range(28) if row not in VALIDATING]


def test_the_result_is_the_model_that_did_best_and_not_the_last(best: Job, tiny: Path) -> None:
    """Nothing is dropped out in a look."""
    from peft import PeftModel  # takes two CPU seconds, which each pytest worker would pay

    seen = looks(best)
    *_, last = seen
    assert min(seen.values()) < 0.95 * seen[last]
    trained = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny), best.weights_folder)
    assert plain_loss(trained, on_disk.map_examples(best.rows)) == pytest.approx(min(seen.values()), abs=1e-4)
    assert (best.weights_folder / "tokenizer.json").is_file()


def test_ten_looks_are_taken_where_nothing_is_said(made: MakeJob) -> None:
    order = RowOrder(on_disk.map_examples(made().rows), training(epochs=20))
    assert sum(early_stopping.is_validation_due(order, step) for step in range(1, order.step_count + 1)) == 10


def test_the_last_step_is_looked_at_too(made: MakeJob) -> None:
    order = RowOrder(on_disk.map_examples(made().rows), training(epochs=4, validate_steps=7))
    assert [step for step in range(1, order.step_count + 1) if early_stopping.is_validation_due(order, step)] == [
        7,
        14,
        20,
    ]


def test_looking_changes_no_step(trained: MakeJob, folder: Path) -> None:
    often, seldom = (trained(folder, validate_steps=steps, lora_dropout=0.5) for steps in (1, 5))
    assert [point["loss"] for point in curve(often)] == [point["loss"] for point in curve(seldom)]
    assert looks(often)[5] == looks(seldom)[5]


@pytest.mark.parametrize(
    ("losses", "patience", "stops"),
    [
        ([3, 2, 1], 1, False),
        ([3, 2, 2], 1, True),
        ([3, 2, 4], 2, False),
        ([3, 2, 4, 2], 2, True),
        ([3, 2, 4, 1, 1], 2, False),
        ([3, 4, 5, 6], None, False),
        ([], 1, False),
    ],
)
def test_patience_counts_looks_without_a_lower_loss(losses: list[float], patience: int | None, stops: bool) -> None:
    points = [{"step": 2 * at + 1, "loss": 0.0} for at in range(len(losses))]
    for at, loss in enumerate(losses):
        points.insert(2 * at + 1, {"step": 2 * at + 2, "loss": 0.0, early_stopping.VALIDATION_LOSS_KEY: loss})
    assert early_stopping.should_stop(points, patience) == stops


def test_a_training_that_gets_no_better_stops(best: Job) -> None:
    seen = looks(best)
    *_, lowest, _, _, last = seen
    assert list(seen) == [*range(2, last + 1, 2)]
    assert last < 150 and seen[lowest] == min(seen.values())
    assert completed_epochs(last, best.training, 18) == round(last / 5, 4)
    assert completed_epochs(150, best.training, 18) == 30


@pytest.mark.parametrize("after", [3, 9, *soak([5, 11])])
def test_it_ends_with_the_same_best_wherever_it_was_killed(
    best: Job, killed: MakeJob, folder: Path, after: int
) -> None:
    cut = killed(folder, after, **OVERFITS)
    shutil.rmtree(cut.scratch)  # as the stage does that goes on
    cut.scratch.mkdir()
    loop.run_training(cut)
    assert curve(cut) == curve(best)
    assert tree_digest(cut.weights_folder) == tree_digest(best.weights_folder)


@pytest.fixture
def again(best: Job, tmp_path: Path) -> Job:
    """A copy of `best` with its checkpoints, and without its final weights."""
    job = copied(best, tmp_path / "again")
    shutil.rmtree(job.weights_folder)
    job.weights_folder.mkdir()
    return job


def test_a_training_that_was_over_takes_no_further_step(best: Job, again: Job) -> None:
    loop.run_training(again)
    assert (curve(again), tree_digest(again.weights_folder)) == (curve(best), tree_digest(best.weights_folder))
    assert not [point for point in log_follower.read_log(again.training_log) if "seconds" in point]


def test_a_checkpoint_without_its_best_weights_is_passed_over(best: Job, again: Job) -> None:
    newest = checkpoints.newest_checkpoint(again.checkpoints)
    assert newest
    (newest.folder / "best" / "adapter_model.safetensors").write_bytes(b"damaged")
    loop.run_training(again)
    assert f"{newest.folder.name} is damaged" in (again.scratch / USER_LINES_FILE).read_text()
    assert tree_digest(again.weights_folder) == tree_digest(best.weights_folder)
    assert read_json(again.weights_folder / "adapter_config.json")["peft_type"] == "LORA"
