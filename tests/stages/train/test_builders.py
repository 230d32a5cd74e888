"""Each parameter arrives where it is meant to."""

from pathlib import Path
from typing import Any

import pytest

from tasks.core.errors import InputError
from tasks.core.params.training_methods import lora
from tasks.stages.cluster import worker_spec
from tasks.stages.train.model import builders
from tests.stages.train.conftest import training


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]),
        ("linear", [0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]),
        ("cosine", [0.5, 1.0, 1.0, 0.962, 0.854, 0.691, 0.5, 0.309, 0.146, 0.038]),
    ],
)
def test_the_learning_rate_rises_and_falls(schedule: Any, expected: list[float]) -> None:
    settings = training(schedule=schedule, warmup_share=0.2, learning_rate=0.01)
    rates = [builders.learning_rate(settings, step, 10) / 0.01 for step in range(10)]
    assert rates == pytest.approx(expected, abs=1e-3)


def test_without_warmup_the_first_step_is_at_full_rate() -> None:
    assert builders.learning_rate(training(warmup_share=0), 0, 7) == training().learning_rate


def test_deepspeed_takes_precision_and_stage() -> None:
    config = builders.deepspeed_config(training(max_grad_norm=0.7, precision="bf16", zero_stage=3))
    assert config["gradient_clipping"] == 0.7
    assert config["bf16"]["enabled"] and config["zero_optimization"]["stage"] == 3


@pytest.mark.parametrize(
    ("changes", "offloads"),
    [
        ({"zero_stage": 2, "offload": "cpu"}, {"offload_optimizer": {"device": "cpu"}}),
        (
            {"zero_stage": 3, "offload": "cpu"},
            {key: {"device": "cpu"} for key in ("offload_optimizer", "offload_param")},
        ),
    ],
)
def test_deepspeed_offloads_the_optimizer_and_with_zero_3_the_weights(
    changes: dict[str, Any], offloads: dict[str, Any]
) -> None:
    zero = builders.deepspeed_config(training(**changes))["zero_optimization"]
    assert {name: place for name, place in zero.items() if name.startswith("offload")} == offloads


def test_lora_takes_rank_alpha_dropout_variant_and_targets() -> None:
    config = lora.build_lora_config(training(lora_rank=5, lora_alpha=7, lora_dropout=0.3), {})
    assert (config.r, config.lora_alpha, config.lora_dropout) == (5, 7, 0.3)
    assert (config.use_rslora, config.use_dora) == (False, False)
    assert lora.build_lora_config(training(lora_variant="rslora"), {}).use_rslora
    assert lora.build_lora_config(training(lora_variant="dora"), {}).use_dora
    targets = lora.build_lora_config(training(lora_targets=["v_proj", "q_proj"]), {}).target_modules
    assert targets == {"q_proj", "v_proj"}


def test_lora_is_in_the_last_layers_alone() -> None:
    names = [
        f"model.layers.{number}.{name}.weight" for number in range(12) for name in ("self_attn.q_proj", "mlp.up_proj")
    ]
    linear = dict.fromkeys(names, (8, 4))
    config = lora.build_lora_config(training(lora_layers=3), linear)
    assert (config.layers_to_transform, config.target_modules) == ([9, 10, 11], {"q_proj", "up_proj"})
    assert lora.count_lora_weights(training(lora_layers=3, lora_rank=2), linear) == 3 * 2 * 2 * (8 + 4)
    assert set(lora.choose_layers(training(lora_layers=1, lora_targets=["q_proj"]), linear)) == {names[-2]}
    with pytest.raises(InputError, match=r"training\.lora_layers: the base model has 12 layers, not 13"):
        lora.choose_layers(training(lora_layers=13), linear)
    with pytest.raises(InputError, match="the last 2 layers have no module of lora_targets"):
        lora.choose_layers(training(lora_layers=2, lora_targets=["gate_proj"]), linear)


def test_attention_goes_by_length_on_cpus_and_by_what_is_there_on_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    assert builders.attention_implementation(training()) is None
    assert builders.attention_implementation(training(attention="sdpa")) == "sdpa"
    for installed, expected in ((False, "sdpa"), (True, "flash_attention_2")):
        monkeypatch.setattr("transformers.utils.import_utils.is_flash_attn_2_available", lambda there=installed: there)
        assert builders.attention_implementation(training(device="gpu", precision="bf16")) == expected
        assert builders.attention_implementation(training(device="gpu", precision="fp32")) == "sdpa"
    assert (
        builders.attention_implementation(training(device="gpu", precision="bf16", attention="flash"))
        == "flash_attention_2"
    )


@pytest.mark.parametrize(("device", "gpu"), [("cpu", False), ("gpu", True)])
def test_ray_gives_each_worker_its_threads_and_gpu(device: Any, gpu: bool) -> None:
    config = builders.build_scaling_config(training(threads=4, device=device), 3)
    assert (config.num_workers, config.use_gpu) == (3, gpu)
    assert config.resources_per_worker == {"CPU": 4, **({"GPU": 1} if gpu else {})}
    apart: Any = builders.build_scaling_config(training(), 1, ("a", "b"))
    assert apart.label_selector == {"ray.io/node-id": "!in(a,b)"}


def test_workers_have_their_threads_and_start_as_a_stage_does() -> None:
    environment = builders.build_worker_spec(training(threads=3)).environment
    assert environment["OMP_NUM_THREADS"] == "3"
    assert not any(name.startswith("PYTHON") for name in environment)
    assert worker_spec.worker_python_command().endswith(
        " -I " + str(Path(worker_spec.__file__).parents[1] / "start.py")
    )
