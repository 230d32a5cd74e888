"""Rows that no step learns from say which weights were best, and when to stop."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from peft import PeftModel
from transformers import AutoModelForCausalLM

from tasks.core.files import read_json, tree_digest
from tasks.stages.train import early_stopping, loop, watch
from tasks.stages.train.desk import SAID
from tasks.stages.train.job import Job
from tasks.stages.train.keeping.home import Home
from tasks.stages.train.recovery import checkpoints
from tasks.stages.train.rows import examples as on_disk
from tasks.stages.train.rows.examples import Examples
from tasks.stages.train.rows.order import Order
from tasks.stages.train.train import CURVE, epochs_of
from tests.stages.train.conftest import VALIDATING, put_rows, rendered, training
from tests.stages.train.test_loop import Killed, killed_after

pytestmark = pytest.mark.usefixtures("alone")
MakeJob = Callable[..., Job]
OVERFITS = {"epochs": 4, "validate_steps": 2, "checkpoint_steps": 4, "schedule": "constant"}


@pytest.fixture(scope="module")
def folder(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """27 rows; those of one queue validate. The more a model knows of the other two, the less it expects this one."""
    return put_rows(tmp_path_factory.mktemp("rows") / "27", rendered(tiny, 27), range(2, 27, 3))


@pytest.fixture
def made(job: MakeJob, folder: Path) -> MakeJob:
    return partial(job, rows=folder)


def curve(job: Job) -> list[dict[str, Any]]:
    return [{name: point[name] for name in CURVE if name in point} for point in watch.read_record(job.record)]


def looks(job: Job) -> dict[int, float]:
    """Validation loss by step."""
    return {point["step"]: point[early_stopping.LOSS] for point in curve(job) if early_stopping.LOSS in point}


def plain_loss(model: Any, rows: Examples) -> float:
    """Over the validation rows, one after the other, by transformers' own loss."""
    total = 0.0
    for row in rows.validation:
        tokens = torch.tensor(rows.row(row))[None]
        labels = tokens.clone()
        labels[0, : rows.starts[row]] = -100
        with torch.no_grad():
            total += model(tokens, labels=labels).loss.item() * int(rows.targets([row])[0])
    return total / int(rows.targets(rows.validation).sum())


@given(st.integers(1, 60).flatmap(lambda size: st.tuples(st.just(size), st.sets(st.integers(0, size - 1)))))
def test_the_rows_that_are_learnt_from_are_all_others(drawn: tuple[int, set[int]]) -> None:
    size, validating = drawn
    rows = Examples(*(np.zeros(size, np.int64),) * 3, np.array(sorted(validating), np.int64))
    learnt = rows.learnt(np.arange(size - len(validating)))
    assert learnt.tolist() == [row for row in range(size) if row not in validating]


@pytest.mark.parametrize("order", ["by_length", "shuffled"])
def test_every_epoch_takes_each_of_them_once(folder28: Path, order: str) -> None:
    steps = Order(on_disk.read(folder28), training(epochs=2, order=order))
    assert steps.steps == 12
    for epoch in (range(6), range(6, 12)):
        rows = np.concatenate([steps.step(number) for number in epoch])
        assert sorted(rows) == [row for row in range(28) if row not in VALIDATING]


def test_the_result_is_the_model_that_did_best_and_not_the_last(made: MakeJob, tiny: Path) -> None:
    """Nothing is dropped out in a look."""
    job = made(**OVERFITS, lora_dropout=0.5)
    loop.train(job)
    seen = looks(job)
    assert list(seen) == [*range(2, 21, 2)]
    assert min(seen.values()) < 0.95 * seen[20]
    trained = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny), job.output)
    assert plain_loss(trained, on_disk.read(job.rows)) == pytest.approx(min(seen.values()), abs=1e-4)
    assert (job.output / "tokenizer.json").is_file()


def test_ten_looks_are_taken_where_nothing_is_said(made: MakeJob) -> None:
    order = Order(on_disk.read(made().rows), training(epochs=20))
    assert sum(early_stopping.due(order, step) for step in range(1, order.steps + 1)) == 10


def test_the_last_step_is_looked_at_too(made: MakeJob) -> None:
    order = Order(on_disk.read(made().rows), training(epochs=4, validate_steps=7))
    assert [step for step in range(1, order.steps + 1) if early_stopping.due(order, step)] == [7, 14, 20]


def test_looking_changes_no_step(made: MakeJob) -> None:
    often, once = (made(name, validate_steps=steps, lora_dropout=0.5) for name, steps in (("often", 1), ("once", 5)))
    for job in (often, once):
        loop.train(job)
    assert [point["loss"] for point in curve(often)] == [point["loss"] for point in curve(once)]
    assert looks(often)[5] == looks(once)[5]


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
        points.insert(2 * at + 1, {"step": 2 * at + 2, "loss": 0.0, early_stopping.LOSS: loss})
    assert early_stopping.over(points, patience) == stops


def test_a_training_that_gets_no_better_stops(made: MakeJob) -> None:
    job = made(**{**OVERFITS, "epochs": 30}, patience=2)
    loop.train(job)
    seen = looks(job)
    *_, best, _, last = seen
    assert last < 150 and seen[best] == min(seen.values())
    assert epochs_of(last, job.training, 18) == round(last / 5, 4)
    assert epochs_of(150, job.training, 18) == 30


@pytest.mark.parametrize("killed", [3, 5, 9, 11])
def test_it_ends_with_the_same_best_wherever_it_was_killed(made: MakeJob, killed: int) -> None:
    whole, cut = (made(name, **OVERFITS, patience=3) for name in ("whole", "cut"))
    loop.train(whole)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Home, "tell", killed_after(killed))
        loop.train(cut)
    shutil.rmtree(cut.scratch)  # as the stage does that goes on
    cut.scratch.mkdir()
    loop.train(cut)
    assert curve(cut) == curve(whole)
    assert tree_digest(cut.output) == tree_digest(whole.output)


def test_a_training_that_was_over_takes_no_further_step(made: MakeJob) -> None:
    job = made(**OVERFITS, patience=1)
    loop.train(job)
    before, weights = curve(job), tree_digest(job.output)
    loop.train(job)
    assert (curve(job), tree_digest(job.output)) == (before, weights)


def test_a_checkpoint_without_its_best_weights_is_passed_over(made: MakeJob) -> None:
    job = made(**OVERFITS)
    loop.train(job)
    weights, newest = tree_digest(job.output), checkpoints.newest(job.checkpoints)
    assert newest
    adapter = newest.folder / "best" / "adapter_model.safetensors"
    adapter.write_bytes(b"damaged")
    loop.train(job)
    assert f"{newest.folder.name} is damaged" in (job.scratch / SAID).read_text()
    assert tree_digest(job.output) == weights
    assert read_json(job.output / "adapter_config.json")["peft_type"] == "LORA"
