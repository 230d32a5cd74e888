"""Optimizer steps do what a few lines of plain PyTorch would, whatever the workers, passes and ZeRO stage."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from tasks.core.errors import InputError
from tasks.core.files import read_json, tree_digest
from tasks.core.params.training_methods import lora
from tasks.stages.train import loop
from tasks.stages.train.coordinator import USER_LINES_FILE
from tasks.stages.train.job import Job
from tasks.stages.train.model import builders, export
from tasks.stages.train.model import engine as engines
from tasks.stages.train.rows.examples import Examples
from tasks.stages.train.rows.order import RowOrder
from tasks.stages.train.verification.trained_modules import linear_layer_shapes
from tests.soaking import soak
from tests.stages.train.conftest import MakeJob, losses, put_rows, rendered, training

pytestmark = pytest.mark.usefixtures("alone")


def train(job: Job) -> list[float]:
    loop.run_training(job)
    return losses(job)


def plain_losses(model_folder: Path, examples: Examples, **changes: Any) -> list[float]:
    """The same training in plain PyTorch: one row after the other, no DeepSpeed, transformers' own loss."""
    from peft import get_peft_model  # takes two CPU seconds, which each pytest worker would pay

    settings = training(**changes)
    order = RowOrder(examples, settings)
    torch.manual_seed(settings.seed)
    model = AutoModelForCausalLM.from_pretrained(model_folder)
    model = get_peft_model(model, lora.build_lora_config(settings, linear_layer_shapes(model)))
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, weight_decay=settings.weight_decay)
    curve = []
    for number in range(order.step_count):
        rows, total = order.rows_of_step(number), 0.0
        targets = int(examples.target_counts(rows).sum())
        for row in rows:
            tokens = torch.tensor(examples.row_tokens(row))[None].long()
            labels = tokens.clone()
            labels[0, : examples.target_starts[row]] = -100
            loss = model(tokens, labels=labels).loss * int(examples.target_counts([row])[0]) / targets
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(weights, settings.max_grad_norm)
        optimizer.param_groups[0]["lr"] = builders.learning_rate(settings, number, order.step_count)
        optimizer.step()
        optimizer.zero_grad()
        curve.append(total)
    return curve


TWICE = {"epochs": 2, "learning_rate": 1e-3}
FULL = {"method": "full", "lora_rank": None, "lora_alpha": None, "learning_rate": 1e-3}


def test_the_curve_is_that_of_plain_pytorch(trained: MakeJob, tiny: Path, rows24: Examples) -> None:
    curve = losses(trained(**TWICE))
    assert len(curve) == 12
    assert curve == pytest.approx(plain_losses(tiny, rows24, **TWICE), rel=1e-4)
    assert curve[-1] < curve[0]


def test_bf16_follows_fp32(trained: MakeJob) -> None:
    exact, rounded = losses(trained(**TWICE)), losses(trained(**TWICE, precision="bf16"))
    assert rounded == pytest.approx(exact, rel=0.01)
    assert rounded != exact


def test_an_adapter_loads_and_names_no_place(trained: MakeJob, tiny: Path) -> None:
    from peft import PeftModel

    made = trained()
    config = read_json(made.weights_folder / "adapter_config.json")
    assert config["target_modules"] == sorted(config["target_modules"])
    assert {"q_proj", "down_proj"} <= set(config["target_modules"]) and "lm_head" not in config["target_modules"]
    for path in made.weights_folder.iterdir():
        assert str(tiny).encode() not in path.read_bytes()
    assert {"adapter_model.safetensors", "tokenizer.json", "chat_template.jinja"} <= names(made.weights_folder)
    assert "README.md" not in names(made.weights_folder)
    base, tokens = AutoModelForCausalLM.from_pretrained(tiny), torch.tensor([[1, 2, 3]])
    before = base(tokens).logits
    assert not torch.allclose(PeftModel.from_pretrained(base, made.weights_folder)(tokens).logits, before)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_full_training_moves_every_weight(trained: MakeJob, tiny: Path) -> None:
    made = trained(**FULL)
    curve = losses(made)
    assert curve[-1] < curve[0]
    after = AutoModelForCausalLM.from_pretrained(made.weights_folder).state_dict()
    before = AutoModelForCausalLM.from_pretrained(tiny).state_dict()
    assert after.keys() == before.keys()
    assert not [name for name in before if torch.equal(before[name], after[name])]


DROPPED = {"lora_dropout": 0.1, "precision": "bf16", "zero_stage": 2, "micro_batch_tokens": 256}


def test_dropout_is_drawn(trained: MakeJob) -> None:
    assert losses(trained(**DROPPED)) != losses(trained(**DROPPED | {"lora_dropout": 0.0}))


WAYS = [
    {},
    DROPPED,
    {"zero_stage": 3},
    FULL,
    *soak([{"lora_dropout": 0.1}, {"precision": "bf16"}, {"zero_stage": 2}, {"zero_stage": 2, **FULL}]),
]


@pytest.mark.parametrize("changes", WAYS, ids=str)
def test_a_killed_training_ends_with_the_same_bytes(trained: MakeJob, killed: MakeJob, changes: dict[str, Any]) -> None:
    """Whole and in two parts it is the work of different processes."""
    whole, cut = trained(**changes), killed(**changes)
    assert names(cut.checkpoints) == {"step-000000002"}
    assert train(cut) == losses(whole)
    assert tree_digest(cut.weights_folder) == tree_digest(whole.weights_folder)


def test_a_damaged_checkpoint_is_passed_over(trained: MakeJob, killed: MakeJob) -> None:
    whole, cut = trained(), killed(after=5)
    assert names(cut.checkpoints) == {"step-000000002", "step-000000004"}
    largest = max((cut.checkpoints / "step-000000004").rglob("*.pt"), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 1
    largest.write_bytes(data)
    assert train(cut) == losses(whole)
    assert "step-000000004 is damaged" in (cut.scratch / USER_LINES_FILE).read_text()
    assert tree_digest(cut.weights_folder) == tree_digest(whole.weights_folder)


@pytest.mark.parametrize("changes", [{}, DROPPED, {"zero_stage": 3}], ids=str)
def test_a_checkpoint_of_an_adapter_has_no_weight_of_the_base_model(
    killed: MakeJob, tiny: Path, changes: dict[str, Any]
) -> None:
    made = killed(**changes)
    written = sum(file.stat().st_size for file in made.checkpoints.rglob("*") if file.is_file())
    assert 0 < written < (tiny / "model.safetensors").stat().st_size / 2


def test_under_zero_3_weights_are_parted_as_they_are_read(job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each worker would need room for the whole model for a moment."""
    read: list[Any] = []
    monkeypatch.setattr(engines, "forbid_weight_repacking", read.append)  # the first thing that is done to the model
    engines.load_model(job(zero_stage=3))
    engines.load_model(job(zero_stage=2))
    parted, whole = ([weight for name, weight in it.named_parameters() if ".weight" in name and "lora" not in name]
                     for it in read)  # fmt: skip
    assert {weight.numel() for weight in parted if len(weight.ds_shape) > 1} == {0}
    assert all(weight.numel() for weight in whole)


def test_one_row_is_enough_to_learn_from(job: MakeJob, tiny: Path, tmp_path: Path) -> None:
    curve = train(job(rows=put_rows(tmp_path / "one", rendered(tiny, 1)), epochs=3))
    assert len(curve) == 3 and curve[2] < curve[0]


@pytest.mark.parametrize("changes", [{}, FULL], ids=["lora", "full"])
def test_what_the_last_step_makes_too_large_is_told_and_not_kept(job: MakeJob, changes: dict[str, Any]) -> None:
    """No loss comes after it."""
    made = job(weight_decay=1e300, epochs=0.2, checkpoint_steps=1, **changes)
    words = r"is no number, or too large for one; lower training.learning_rate or training.weight_d"
    with pytest.raises(InputError, match=words):
        loop.run_training(made)


def test_weights_that_are_no_numbers_are_not_exported() -> None:
    export.require_finite_weights({"a": torch.ones(2)})
    with pytest.raises(InputError, match="1 trained weights hold values that are no numbers, b among them"):
        export.require_finite_weights({"a": torch.ones(2), "b": torch.tensor([0.0, float("inf")])})


def test_divergence_is_told_and_not_trained_on(job: MakeJob, tiny: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(tiny, broken)
    weights = load_file(broken / "model.safetensors")
    weights["model.norm.weight"].fill_(float("inf"))
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    words = r"base model's own loss over row .* is nan, before anything is trained; check its weights"
    with pytest.raises(InputError, match=words):
        loop.run_training(replace(job(), model=broken))
