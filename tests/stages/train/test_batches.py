"""The tensors of a pass: the same loss and gradient however its rows lie; packed rows do not see each other."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from tasks.stages.train.model import shared_prefix, target_loss
from tasks.stages.train.model.target_loss import SummedCrossEntropy, TargetLoss, can_share_prefix
from tasks.stages.train.rows import batches
from tasks.stages.train.rows.batches import collate
from tasks.stages.train.rows.examples import Examples
from tests.stages.train.conftest import training


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
    rows = [3, 4, 5]
    made = collate(rows24, rows, is_packed=True)
    bounds = np.cumsum([0, *(len(rows24.row_tokens(row)) for row in rows)])
    seen: list[torch.Tensor] = []

    def keep(_module: torch.nn.Module, _arguments: Any, output: torch.Tensor) -> None:
        output.retain_grad()
        seen.append(output)

    hook = model.model.get_input_embeddings().register_forward_hook(keep)
    only = made.predicts_target.clone()
    only[0, : bounds[1]] = False
    only[0, bounds[2] :] = False
    targets = made.tokens.roll(-1)[only]
    model(batches.Batch(made.prefix, made.tokens, made.positions, only, targets)).backward()
    hook.remove()
    reached = seen[0].grad[0].abs().sum(dim=1)
    assert reached[: bounds[1]].max() == 0
    assert reached[bounds[2] :].max() == 0
    assert reached[bounds[1]] > 0


@pytest.mark.parametrize("short", [0, 1000])
def test_packed_grouped_and_shared_batches_give_the_same_loss_and_gradient(
    rows24: Examples, model: TargetLoss, monkeypatch: pytest.MonkeyPatch, short: int
) -> None:
    """By PyTorch's attention, and written out."""
    monkeypatch.setattr(target_loss, "MAX_EAGER_TOKENS", short)
    rows = [0, 7, 11, 2]
    alone = [gradient(model, collate(rows24, [row])) for row in rows]
    expected = sum(loss for loss, _ in alone), sum(slope for _, slope in alone)
    for made in (
        collate(rows24, rows),
        collate(rows24, rows, is_packed=True),
        collate(rows24, rows, share_prefix=True),
    ):
        loss, slope = gradient(model, made)
        assert loss == pytest.approx(expected[0], rel=1e-5)
        torch.testing.assert_close(slope, expected[1], rtol=1e-3, atol=1e-4)


def test_a_shared_prefix_ends_where_rows_differ_and_before_any_target(rows24: Examples) -> None:
    shared = len(collate(rows24, [0, 7, 11, 2], share_prefix=True).prefix)
    assert shared > 50
    begins = {tuple(rows24.row_tokens(row)[:shared]) for row in (0, 7, 11, 2)}
    assert len(begins) == 1
    same = collate(rows24, [6, 6, 6], share_prefix=True)
    assert len(same.prefix) == rows24.target_starts[6] - 1
    assert same.targets.tolist() == rows24.row_tokens(6)[rows24.target_starts[6] :].tolist() * 3


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("count", [0, 5])
def test_the_summed_loss_and_its_gradient_are_those_of_torch(dtype: torch.dtype, count: int) -> None:
    torch.manual_seed(2)
    targets = torch.randint(11, (count,))
    ours = torch.randn(count, 11).to(dtype).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    loss = SummedCrossEntropy.apply(ours, targets)
    expected = torch.nn.functional.cross_entropy(theirs.float(), targets, reduction="sum")
    for each in (loss, expected):
        (each * 0.3).backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(ours.grad, theirs.grad)


SMALL = {
    "vocab_size": 259, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "pad_token_id": 0,
}  # fmt: skip


@pytest.mark.parametrize("short", [0, 1000])
@pytest.mark.parametrize("kind", sorted(shared_prefix.SUPPORTED_MODEL_TYPES))
def test_models_share_a_prefix_who_lose_nothing_by_it(
    rows24: Examples, monkeypatch: pytest.MonkeyPatch, kind: str, short: int
) -> None:
    monkeypatch.setattr(target_loss, "MAX_EAGER_TOKENS", short)
    torch.manual_seed(1)
    bare = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, sliding_window=None, **SMALL))
    model, rows = TargetLoss(bare), [0, 7, 11, 2]
    assert can_share_prefix(model, training(layout="padded"))
    whole, shared = (gradient(model, collate(rows24, rows, share_prefix=share)) for share in (False, True))
    assert shared[0] == pytest.approx(whole[0], rel=1e-5)
    torch.testing.assert_close(shared[1], whole[1], rtol=1e-3, atol=1e-4)
    assert not [name for module in bare.modules() for name in shared_prefix.PREFIX_ATTRIBUTES if name in vars(module)]


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("mistral", {}),  # 4,096 tokens back
        ("qwen3", {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}),
        ("diffllama", {}),  # two attentions a layer
        ("doge", {}),  # a mask of its own in each layer
    ],
)
def test_others_compute_it_in_each_row(kind: str, more: dict[str, Any]) -> None:
    model = TargetLoss(AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **SMALL, **more)))
    assert not can_share_prefix(model, training(layout="padded"))


def test_a_prefix_that_saves_little_is_not_shared(rows24: Examples) -> None:
    assert len(collate(rows24, [5], share_prefix=True).prefix) == 0


def test_workers_share_prefixes_all_or_none(rows24: Examples) -> None:
    """ZeRO would add up different parameters' gradients, or wait for ever, if one shared and another did not."""
    some, none = np.array([0, 7, 11, 2]), np.empty(0, dtype=np.int64)
    assert batches.all_share_prefix(rows24, [some, some])
    assert not batches.all_share_prefix(rows24, [some, none])


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
                patch.setattr(target_loss, "MAX_EAGER_TOKENS", short)
                model(collate(rows24, rows, share_prefix=True)).backward()
            assert model.model.config._attn_implementation.split("-")[0] == ("eager" if short else "sdpa")
            orders.append(list(arrived))
    for hook in hooks:
        hook.remove()
    assert orders[0] == orders[1] and orders[2] == orders[3]
    assert len(set(orders[0])) == len(list(model.parameters()))


def test_a_worker_without_rows_adds_nothing(rows24: Examples, model: TargetLoss) -> None:
    loss, slope = gradient(model, collate(rows24, []))
    assert loss == 0
    assert slope.abs().max() == 0
