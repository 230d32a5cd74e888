"""Every row once an epoch, in an order that seed and rows per step alone decide; packed rows do not see each other."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from tasks.stages.train import batches, target_loss
from tasks.stages.train.batches import Order, collate
from tasks.stages.train.examples import Examples
from tasks.stages.train.target_loss import TargetLoss
from tests.stages.train.conftest import training


def order(examples: Examples, **changes: Any) -> Order:
    return Order(tuple(examples.lengths.tolist()), training(**changes))


@pytest.mark.parametrize("batching", ["grouped", "packed"])
@pytest.mark.parametrize("shape", [(4, 1, 1), (3, 2, 2), (5, 1, 3)])
def test_workers_and_passes_together_take_each_row_once(
    rows24: Examples, batching: str, shape: tuple[int, int, int]
) -> None:
    size, accumulation, workers = shape
    made = order(rows24, batching=batching, batch_size=size, gradient_accumulation=accumulation, workers=workers)
    taken = [
        row
        for step in range(made.steps_per_epoch)
        for forward in range(accumulation)
        for rank in range(workers)
        for row in made.share(step, forward, rank)
    ]
    assert sorted(taken) == list(range(24))


def test_the_same_rows_per_step_give_the_same_steps(rows24: Examples) -> None:
    one = order(rows24, batch_size=8, epochs=2)
    many = order(rows24, batch_size=2, gradient_accumulation=2, workers=2, epochs=2)
    assert one.steps == many.steps == 6
    for step in range(6):
        assert one.step(step).tolist() == many.step(step).tolist()


def test_order_repeats_by_seed_and_changes_by_epoch(rows24: Examples) -> None:
    def steps(made: Order, epoch: int) -> list[list[int]]:
        return [rows.tolist() for rows in made.epoch(epoch)]

    assert steps(order(rows24), 0) == steps(order(rows24), 0)
    assert steps(order(rows24), 0) != steps(order(rows24), 1)
    assert steps(order(rows24), 0) != steps(order(rows24, seed=18), 0)


def test_grouped_batches_hold_rows_of_like_length(rows24: Examples) -> None:
    spread = [np.ptp(rows24.lengths[rows]) for rows in order(rows24).epoch(0)]
    mixed = [np.ptp(rows24.lengths[rows]) for rows in order(rows24, batching="packed").epoch(0)]
    assert max(spread) < min(mixed)
    lengths = [rows24.lengths[rows].mean() for rows in order(rows24).epoch(0)]
    assert lengths != sorted(lengths), "batches come shuffled, not from short to long"


@pytest.mark.parametrize(("epochs", "steps"), [(0.5, 3), (1, 6), (2.5, 15), (0.01, 1)])
def test_a_fraction_of_an_epoch_stops_within_it(rows24: Examples, epochs: float, steps: int) -> None:
    assert order(rows24, epochs=epochs).steps == steps


@pytest.fixture(scope="module")
def model(tiny: Path) -> TargetLoss:
    return TargetLoss(AutoModelForCausalLM.from_pretrained(tiny).requires_grad_(True))


def gradient(model: TargetLoss, made: batches.Batch) -> tuple[float, torch.Tensor]:
    model.zero_grad()
    loss = model(made)
    loss.backward()
    return loss.item(), torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])


def test_packed_rows_do_not_see_each_other(rows24: Examples, model: TargetLoss) -> None:
    """The gradient of the second row's loss at the first row's embeddings is exactly 0; at its own it is not."""
    settings, rows = training(batching="packed"), [3, 4, 5]
    made = collate(rows24, rows, settings)
    bounds = np.cumsum([0, *(len(rows24.row(row)) for row in rows)])
    seen: list[torch.Tensor] = []

    def keep(_module: torch.nn.Module, _arguments: Any, output: torch.Tensor) -> None:
        output.retain_grad()
        seen.append(output)

    hook = model.model.get_input_embeddings().register_forward_hook(keep)
    only = made.predicts.clone()
    only[0, : bounds[1]] = False
    only[0, bounds[2] :] = False
    targets = made.tokens.roll(-1)[only]
    model(batches.Batch(made.prefix, made.tokens, made.positions, only, targets)).backward()
    hook.remove()
    reached = seen[0].grad[0].abs().sum(dim=1)
    assert reached[: bounds[1]].max() == 0
    assert reached[bounds[2] :].max() == 0
    assert reached[bounds[1]] > 0


def test_packed_grouped_and_shared_batches_give_the_same_loss_and_gradient(rows24: Examples, model: TargetLoss) -> None:
    rows = [0, 7, 11, 2]
    alone = [gradient(model, collate(rows24, [row], training())) for row in rows]
    expected = sum(loss for loss, _ in alone), sum(slope for _, slope in alone)
    for made in (
        collate(rows24, rows, training()),
        collate(rows24, rows, training(batching="packed")),
        collate(rows24, rows, training(), share=True),
    ):
        loss, slope = gradient(model, made)
        assert loss == pytest.approx(expected[0], rel=1e-5)
        torch.testing.assert_close(slope, expected[1], rtol=1e-3, atol=1e-4)


def test_a_shared_prefix_ends_where_rows_differ_and_before_any_target(rows24: Examples) -> None:
    shared = len(collate(rows24, [0, 7, 11, 2], training(), share=True).prefix)
    assert shared > 50
    begins = {tuple(rows24.row(row)[:shared]) for row in (0, 7, 11, 2)}
    assert len(begins) == 1
    same = collate(rows24, [6, 6, 6], training(), share=True)
    assert len(same.prefix) == rows24.starts[6] - 1
    assert same.targets.tolist() == rows24.row(6)[rows24.starts[6] :].tolist() * 3


def test_a_prefix_that_saves_little_is_not_shared(rows24: Examples) -> None:
    assert len(collate(rows24, [5], training(), share=True).prefix) == 0


def test_workers_share_prefixes_all_or_none(rows24: Examples) -> None:
    """ZeRO would add up different parameters' gradients, or wait for ever, if one shared and another did not."""
    made = order(rows24, batch_size=5, workers=2)
    decided = [batches.all_share(rows24, made, step, 0) for step in range(made.steps)]
    idle = [len(made.share(step, 0, 1)) == 0 for step in range(made.steps)]
    assert True in idle and decided == [not alone for alone in idle]


def test_gradients_arrive_in_the_same_order_under_both_attentions(rows24: Examples, model: TargetLoss) -> None:
    """Workers choose by the length of their rows; ZeRO pairs what they send by its order."""
    arrived: list[str] = []
    hooks = [
        weight.register_post_accumulate_grad_hook(lambda _, name=name: arrived.append(name))
        for name, weight in model.named_parameters()
    ]
    orders = []
    for rows in ([0], [0, 5, 10, 15, 20]):
        for short in (0, 1000):
            arrived.clear()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(target_loss, "SHORT", short)
                model(collate(rows24, rows, training(), share=True)).backward()
            assert model.model.config._attn_implementation == ("eager" if short else "sdpa")
            orders.append(list(arrived))
    for hook in hooks:
        hook.remove()
    assert orders[0] == orders[1] and orders[2] == orders[3]
    assert len(set(orders[0])) == len(list(model.parameters()))


def test_a_worker_without_rows_adds_nothing(rows24: Examples, model: TargetLoss) -> None:
    loss, slope = gradient(model, collate(rows24, [], training()))
    assert loss == 0
    assert slope.abs().max() == 0
