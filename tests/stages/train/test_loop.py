"""Optimizer steps do what a few lines of plain PyTorch would, whatever the workers, passes and ZeRO stage."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from tasks.core.errors import InputError
from tasks.core.files import read_json, tree_digest
from tasks.stages.train import builders, loop, watch
from tasks.stages.train.batches import Order
from tasks.stages.train.examples import Examples
from tasks.stages.train.job import Job
from tests.stages.train.conftest import training
from tests.stages.train.spawn import Workers

pytestmark = pytest.mark.usefixtures("alone")
MakeJob = Callable[..., Job]


def losses(job: Job) -> list[float]:
    return [point["loss"] for point in watch.read_record(job.record)]


def train(job: Job, examples: Examples) -> list[float]:
    loop.train(job, examples)
    return losses(job)


def plain_losses(model_folder: Path, examples: Examples, **changes: Any) -> list[float]:
    """The same training in plain PyTorch: one row after the other, no DeepSpeed, transformers' own loss."""
    settings = training(**changes)
    order = Order(tuple(examples.lengths.tolist()), settings)
    torch.manual_seed(settings.seed)
    model = AutoModelForCausalLM.from_pretrained(model_folder)
    model = get_peft_model(model, builders.lora_config(settings))
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, weight_decay=settings.weight_decay)
    curve = []
    for number in range(order.steps):
        rows, total = order.step(number), 0.0
        targets = int(examples.target_tokens[rows].sum())
        for row in rows:
            tokens = torch.tensor(examples.row(row))[None].long()
            labels = tokens.clone()
            labels[0, : examples.starts[row]] = -100
            loss = model(tokens, labels=labels).loss * examples.target_tokens[row] / targets
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(weights, settings.max_grad_norm)
        optimizer.param_groups[0]["lr"] = builders.learning_rate(settings, number, order.steps)
        optimizer.step()
        optimizer.zero_grad()
        curve.append(total)
    return curve


def test_the_curve_is_that_of_plain_pytorch(job: MakeJob, tiny: Path, rows24: Examples) -> None:
    curve = train(job(epochs=2), rows24)
    assert len(curve) == 12
    assert curve == pytest.approx(plain_losses(tiny, rows24, epochs=2), rel=1e-4)
    assert curve[-1] < 0.9 * curve[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"batch_size": 2, "gradient_accumulation": 4},
        {"batch_size": 8, "zero_stage": 2},
        {"batch_size": 2, "gradient_accumulation": 4, "zero_stage": 2},
        {"batch_size": 8, "zero_stage": 3},
        {"batch_size": 8, "batching": "packed", "gradient_accumulation": 1, "epochs": 1},
    ],
)
def test_passes_and_zero_stages_do_not_change_the_steps(
    job: MakeJob, rows24: Examples, changes: dict[str, Any]
) -> None:
    whole = {"batch_size": 8, "epochs": 2, "batching": changes.get("batching", "grouped")}
    expected = train(job("whole", **{**whole, "epochs": changes.get("epochs", 2)}), rows24)
    assert train(job("parts", **{**whole, **changes}), rows24) == pytest.approx(expected, rel=2e-4)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    with Workers(tmp_path_factory.mktemp("pair"), 2) as workers:
        yield workers


@pytest.mark.slow
@pytest.mark.parametrize(("zero_stage", "method"), [(0, "lora"), (2, "lora"), (3, "lora"), (2, "full"), (3, "full")])
def test_two_workers_take_the_steps_of_one(
    job: MakeJob, rows24: Examples, pair: Workers, zero_stage: int, method: str
) -> None:
    settings: dict[str, Any] = {"epochs": 2, "zero_stage": zero_stage, "method": method}
    if method == "full":
        settings |= {"lora_rank": None, "lora_alpha": None, "learning_rate": 1e-3}
    # 24 rows in steps of 10: the last step leaves the second worker with nothing to do.
    one, two = job("one", batch_size=10, **settings), job("two", batch_size=5, workers=2, **settings)
    expected = train(one, rows24)
    pair.train(two, rows24)
    assert losses(two) == pytest.approx(expected, rel=5e-4)
    for path in one.output.glob("*.safetensors"):
        ours, theirs = load_file(path), load_file(two.output / path.name)
        assert ours.keys() == theirs.keys()
        for name, weight in ours.items():
            torch.testing.assert_close(theirs[name], weight, rtol=0.05, atol=2e-3)


def test_bf16_follows_fp32(job: MakeJob, rows24: Examples) -> None:
    settings = {"epochs": 2, "learning_rate": 1e-3}
    exact, rounded = train(job("fp32", **settings), rows24), train(job("bf16", precision="bf16", **settings), rows24)
    assert rounded == pytest.approx(exact, rel=0.01)
    assert rounded != exact


def test_an_adapter_loads_and_names_no_place(job: MakeJob, tiny: Path, rows24: Examples) -> None:
    made = job()
    train(made, rows24)
    config = read_json(made.output / "adapter_config.json")
    assert config["target_modules"] == sorted(config["target_modules"])
    assert {"q_proj", "down_proj"} <= set(config["target_modules"]) and "lm_head" not in config["target_modules"]
    for path in made.output.iterdir():
        assert str(tiny).encode() not in path.read_bytes()
    assert {"adapter_model.safetensors", "tokenizer.json", "chat_template.jinja"} <= names(made.output)
    assert "README.md" not in names(made.output)
    base, tokens = AutoModelForCausalLM.from_pretrained(tiny), torch.tensor([[1, 2, 3]])
    before = base(tokens).logits
    assert not torch.allclose(PeftModel.from_pretrained(base, made.output)(tokens).logits, before)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_full_training_moves_every_weight(job: MakeJob, tiny: Path, rows24: Examples) -> None:
    made = job(method="full", lora_rank=None, lora_alpha=None, learning_rate=1e-3)
    curve = train(made, rows24)
    assert curve[-1] < curve[0]
    after = AutoModelForCausalLM.from_pretrained(made.output).state_dict()
    before = AutoModelForCausalLM.from_pretrained(tiny).state_dict()
    assert after.keys() == before.keys()
    assert not [name for name in before if torch.equal(before[name], after[name])]


def test_the_same_inputs_give_the_same_bytes(job: MakeJob, rows24: Examples) -> None:
    first, again = job("first", lora_dropout=0.1), job("again", lora_dropout=0.1)
    assert train(first, rows24) == train(again, rows24)
    assert tree_digest(first.output) == tree_digest(again.output)


def test_dropout_is_drawn_and_follows_the_seed(job: MakeJob, rows24: Examples) -> None:
    curves = [train(job("none"), rows24), train(job("some", lora_dropout=0.5), rows24)]
    assert curves[0] != curves[1]


class Killed(Exception):
    pass


def killed_after(steps: int) -> Callable[..., None]:
    real = loop.append_record

    def append(job: Job, point: dict[str, Any], seconds: float) -> None:
        if point["step"] > steps:
            raise Killed
        real(job, point, seconds)

    return append


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"lora_dropout": 0.1, "precision": "bf16"},
        {"zero_stage": 2, "precision": "bf16", "gradient_accumulation": 2, "batch_size": 2},
        {"zero_stage": 3},
        {"method": "full", "lora_rank": None, "lora_alpha": None},
    ],
)
def test_a_killed_training_ends_with_the_same_bytes(
    job: MakeJob, rows24: Examples, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = job("whole", checkpoint_steps=2, **changes), job("cut", checkpoint_steps=2, **changes)
    expected = train(whole, rows24)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(loop, "append_record", killed_after(3))
        loop.train(cut, rows24)
    assert names(cut.checkpoints) == {"step-000000002"}
    assert train(cut, rows24) == expected
    assert tree_digest(cut.output) == tree_digest(whole.output)


def test_a_damaged_checkpoint_is_passed_over(
    job: MakeJob, rows24: Examples, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, cut = job("whole", checkpoint_steps=2), job("cut", checkpoint_steps=2)
    expected = train(whole, rows24)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(loop, "append_record", killed_after(5))
        loop.train(cut, rows24)
    assert names(cut.checkpoints) == {"step-000000002", "step-000000004"}
    largest = max((cut.checkpoints / "step-000000004").rglob("*.pt"), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.write_bytes(data)
    assert train(cut, rows24) == expected
    assert "step-000000004 is damaged" in capsys.readouterr().out
    assert tree_digest(cut.output) == tree_digest(whole.output)


def test_divergence_is_told_and_not_trained_on(job: MakeJob, tiny: Path, tmp_path: Path, rows24: Examples) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny, broken)
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"].fill_(float("inf"))
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"loss of step 1 is nan; lower training.learning_rate"):
        loop.train(replace(job(), model=broken), rows24)
