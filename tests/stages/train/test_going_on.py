"""A training that goes on from a checkpoint proves that it holds what was written, and learns on as it did."""

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.core.errors import Refused, Unavailable
from tasks.core.files import tree_manifest
from tasks.stages.train import loop
from tasks.stages.train.model import engine as engines
from tasks.stages.train.recovery import checkpoints, universal_checkpoint
from tasks.stages.train.rows.examples import Examples
from tasks.stages.train.rows.order import RowOrder
from tasks.stages.train.verification import engine_state, forward_pass
from tests.soaking import soak
from tests.stages.train.conftest import FULL, MakeJob, training

pytestmark = pytest.mark.usefixtures("alone")
BF16 = {"precision": "bf16"}
WAYS = [{}, {"zero_stage": 2}, FULL | BF16]
ZERO_3 = {"zero_stage": 3}
REST = [{"zero_stage": 1}, BF16]


@pytest.fixture
def cut(killed: MakeJob) -> MakeJob:
    """A training that was killed after step 3, with a checkpoint of step 2."""
    return functools.partial(killed, max_grad_norm=1000)


def planted(patch: pytest.MonkeyPatch, change: Callable[[Any], object]) -> None:
    """Every engine that is started from here on is changed."""
    real = engines.create_engine

    def start(*given: Any) -> Any:
        engine = real(*given)
        change(engine)
        return engine

    patch.setattr(engines, "create_engine", start)


def without_moments(engine: Any) -> None:
    load = engine.load_checkpoint
    engine.load_checkpoint = lambda *given, **named: load(*given, **named, load_optimizer_states=False)


def without_weights(engine: Any) -> None:
    load = engine.load_checkpoint

    def loaded(*given: Any, **named: Any) -> Any:
        before = {name: weight.detach().clone() for name, weight in engine_state.trained_weights(engine).items()}
        out = load(*given, **named)
        for name, weight in engine_state.trained_weights(engine).items():
            weight.data.copy_(before[name])
        return out

    engine.load_checkpoint = loaded


def halved(engine: Any) -> None:
    back = engine.backward
    engine.backward = lambda loss: back(loss / 2)


@pytest.mark.parametrize("changes", [*WAYS, *soak(REST)], ids=str)
def test_a_moment_that_is_not_loaded_is_noticed(
    cut: MakeJob, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    made = cut(**changes)
    planted(monkeypatch, without_moments)
    with pytest.raises(Refused, match=r"not loaded as it was|without the optimizer's state"):
        loop.run_training(made)


def test_weights_that_are_not_loaded_are_noticed(cut: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    made = cut()
    planted(monkeypatch, without_weights)
    with pytest.raises(Refused, match=r"the weight of .* had a norm of"):
        loop.run_training(made)


@pytest.mark.parametrize("part", ["weight", "moment"])
def test_another_state_than_the_checkpoint_states_is_noticed(cut: MakeJob, part: str) -> None:
    made = cut()
    folder = made.checkpoints / "step-000000002"
    told, files = checkpoints.read_manifest(folder)
    told.state[part] *= 1.01
    checkpoints.write_manifest(folder, told, files)
    with pytest.raises(Refused, match=f"not loaded as it was written: the {part} of"):
        loop.run_training(made)


class Called:
    """As a pickle it makes a file when it is read."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.made,)


@pytest.mark.attack(rights="disk", stopped="code in a checkpoint is not run")
@pytest.mark.parametrize("stage", [0, 2])
def test_what_lies_in_a_checkpoint_is_not_run(
    cut: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: int
) -> None:
    """Not even where the environment asks torch for it."""
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    made = cut(zero_stage=stage)
    folder = made.checkpoints / "step-000000002"
    for file in (folder / checkpoints.STATE_FOLDER).glob("*.pt"):
        held = torch.load(file, weights_only=False)
        torch.save({**held, "more": Called(tmp_path / "made")}, file)
    told, _ = checkpoints.read_manifest(folder)
    (folder / checkpoints.MANIFEST_FILE).unlink()
    checkpoints.write_manifest(folder, told, tree_manifest(folder))
    with pytest.raises(Refused, match=r"checkpoint step-000000002 has objects in it that no training writes"):
        loop.run_training(made)
    assert not (tmp_path / "made").exists()


@pytest.mark.attack(rights="disk", stopped="code in a checkpoint is not run as it is converted")
def test_what_lies_in_a_checkpoint_of_other_workers_is_not_run(cut: MakeJob, tmp_path: Path) -> None:
    folder = cut(zero_stage=2).checkpoints / "step-000000002"
    for file in (folder / checkpoints.STATE_FOLDER).glob("*.pt"):
        torch.save({**torch.load(file, weights_only=False), "more": Called(tmp_path / "made")}, file)
    of_two = replace(checkpoints.read_manifest(folder)[0], workers=2)
    with pytest.raises(Unavailable, match="of 2 workers cannot be brought into the form for another number"):
        universal_checkpoint.convert_checkpoint(of_two, tmp_path / "out")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("changes", [*WAYS, ZERO_3, *soak(REST)], ids=str)
def test_the_first_step_after_a_checkpoint_is_watched_too(
    cut: MakeJob, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    made = cut(**changes)
    planted(monkeypatch, halved)
    with pytest.raises(Refused, match=r"another gradient .*\(0\.5 times as large"):
        loop.run_training(made)


def test_steps_are_counted_for_each_weight_apart(job: MakeJob, rows24: Examples) -> None:
    """A universal checkpoint of ZeRO 3 gives all of them one counter."""
    made = job()
    engine = engines.create_engine(made)
    loop.take_step(engine, RowOrder(rows24, made.training), 0)
    shared = torch.tensor(5.0)
    for held in engine.basic_optimizer.state.values():
        held["step"] = shared
    engine_state.complete_optimizer_state(engine, 7)
    counters = [held["step"] for held in engine.basic_optimizer.state.values()]
    assert {int(counter) for counter in counters} == {7}
    assert len({id(counter) for counter in counters}) == len(counters) > 1


def test_the_pass_that_is_proven_is_the_one_with_most_rows(
    job: MakeJob, rows24: Examples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long row that goes alone shows nothing of how packed rows are kept apart."""
    taken: list[list[int]] = []
    monkeypatch.setattr(
        forward_pass, "verify_forward_pass", lambda _, __, groups, *___: taken.append([len(group) for group in groups])
    )
    made = training(layout="packed", micro_batch_tokens=300, global_batch_size=8)
    loop.verify_forward_pass(engines.create_engine(job()), RowOrder(rows24, made))
    assert taken[0][0] >= 2
