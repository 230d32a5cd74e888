"""Which parameters a sweep takes, and what it refuses."""

import optuna
import pytest

from tasks.core.errors import InputError
from tasks.sweep import search_space


def test_lists_and_ranges_are_told_apart_and_every_corner_is_checked() -> None:
    axes = search_space.parse_axes(["training.lora_rank=8, 16", "training.learning_rate=1e-4..0.01"])
    assert axes[0].values == ("8", "16") and (axes[1].low, axes[1].high) == (1e-4, 0.01)
    corners = [tuple(corner.values()) for corner in search_space.value_combinations(axes)]
    assert corners == [(rank, rate) for rank in ("8", "16") for rate in ("0.0001", "0.001", "0.01")]


def test_a_list_is_a_value() -> None:
    (axis,) = search_space.parse_axes(["training.lora_targets=[q_proj, v_proj],[q_proj],null"])
    assert axis.values == ("[q_proj, v_proj]", "[q_proj]", "null")


def test_a_range_between_whole_numbers_gives_whole_numbers() -> None:
    (axis,) = search_space.parse_axes(["training.lora_rank=8..64"])
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    values = [int(axis.suggest_value(study.ask())) for _ in range(20)]
    assert axis.sample_values == ("8", "64") and len(set(values)) > 5 and min(values) >= 8 and max(values) <= 64


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["training.learning_rate"], "expected KEY=VALUE,VALUE or KEY=LOW..HIGH"),
        (["training.learning_rate="], "expected KEY=VALUE,VALUE or KEY=LOW..HIGH"),
        (["training.learning_rate=1e-3"], "expected two values or more, each once"),
        (["training.lora_rank=8,8"], "expected two values or more, each once"),
        (["training.lora_rank=8,"], "expected two values or more, each once"),
        (["training.learning_rate=a..b"], "expected two numbers"),
        (["training.learning_rate=0.1..0.01"], "a high end above that"),
        (["training.learning_rate=0..1"], "a low end above 0"),
        (["training.learning_rate=1..inf"], "a high end above that"),
        (["training.patience=1,2"], "all trials are looked at alike"),
        (["training.rank=1,2"], "expected a parameter of `training`"),
        (["data.seed=1,2"], "all trials learn from the same rows"),
        (["learning_rate=1,2"], "expected a parameter of `training`"),
        (["training.lora_rank=1,2", "training.lora_rank=3,4"], "names training.lora_rank twice"),
        (
            [f"training.{name}={','.join(map(str, range(1, 12)))}" for name in ("lora_rank", "seed", "epochs")],
            "at most",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_write(given: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        search_space.parse_axes(given)
