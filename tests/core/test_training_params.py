"""Settings of a training: what cannot be together is refused early, and what an earlier version wrote is read."""

from typing import Any

import pytest
from pydantic import ValidationError

from tasks.core.errors import InputError
from tasks.core.params.params import Params
from tasks.core.params.training import Training
from tasks.stages.train.model import machine_requirements
from tests.stages.evaluate import house

FULL = {"method": "full", "lora_rank": None, "lora_alpha": None}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"offload": "cpu"}, "offload cpu with zero_stage 0 is not possible: .*; set zero_stage"),
        ({"epochs": float("inf")}, "epochs"),
        ({"lora_alpha": float("inf")}, "lora_alpha"),
        ({"seed": 2**40}, "seed"),
        ({"threads": 2**63}, "threads"),
        ({"workers": 2**40}, "workers"),
        ({"lora_dropout": 1.0}, "lora_dropout"),
        ({"attention": "flash"}, "attention flash with device cpu is not possible: .*; set attention to auto"),
        (
            {"attention": "flash", "device": "gpu", "precision": "fp32"},
            "attention flash with precision fp32 is not possible: .*; set precision to bf16",
        ),
        (
            {"kernels": "compiled", "sequence_parallel": 2, "workers": 2},
            "kernels compiled with sequence_parallel 2 is not",
        ),
        ({"kernels": "liger"}, "kernels liger with device cpu is not possible: .*; set kernels to plain or compiled"),
        ({"kernels": "compiled", "zero_stage": 3}, "kernels compiled with zero_stage 3 is not possible: .*; set zero"),
        ({"lora_variant": "dora", "zero_stage": 3}, "lora_variant dora with zero_stage 3 is not possible"),
        (
            {"method": "qlora", "zero_stage": 3},
            "method qlora with zero_stage 3 is not possible: .*; set zero",
        ),
        ({**FULL, "lora_variant": "dora"}, "method full has no such settings: set lora_variant to plain"),
        ({**FULL, "lora_targets": ["q_proj"]}, "method full has no such settings: set lora_targets to null"),
        ({"least_workers": 3, "workers": 2}, "least_workers 3 is more than workers 2: lower it"),
        (
            {"workers": 3, "sequence_parallel": 2},
            "workers 3 with sequence_parallel 2 is not possible: .*; set workers to a multiple of 2",
        ),
        (
            {"workers": 4, "sequence_parallel": 2, "least_workers": 1},
            "least_workers 1 with sequence_parallel 2 is not possible: .*; set least_workers to a multiple of 2",
        ),
        (
            {"workers": 2, "sequence_parallel": 2, "attention": "eager"},
            "attention eager with sequence_parallel 2 is not possible: .*; set attention to auto",
        ),
        ({"lora_targets": []}, "lora_targets"),
    ],
    ids=str,
)
def test_what_cannot_be_together_is_refused_with_both_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Training(**settings)


def test_looks_at_validation_rows_that_nobody_sets_aside_are_refused_before_a_run() -> None:
    made = house.params().model_dump()
    asking = {**made, "training": {**made["training"], "patience": 2}}
    with pytest.raises(ValidationError, match=r"patience: there are no validation rows.* set data\.validation_share"):
        Params.model_validate(asking)
    Params.model_validate({**asking, "data": {**made["data"], "validation_share": 0.1}})


def test_a_name_that_no_file_could_have_is_refused_before_a_run() -> None:
    made = house.params().model_dump()
    with pytest.raises(ValidationError, match=r"name: expected at most 200 characters, got 252; shorten it"):
        Params.model_validate({**made, "use_case": {**made["use_case"], "name": "n" * 252}})


def test_without_its_library_a_method_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_requirements, "find_spec", lambda _: None)
    machine_requirements.require_software(Training())
    with pytest.raises(InputError, match=r"qlora needs bitsandbytes, .* pip install 'hallmark\[qlora\]'"):
        machine_requirements.require_software(Training(method="qlora"))
    with pytest.raises(InputError, match=r"flash needs flash_attn, .* or set training.attention to auto"):
        machine_requirements.require_software(Training(device="gpu", precision="bf16", attention="flash"))


@pytest.mark.parametrize(
    ("earlier", "now"),
    [
        ({"batch_size": 4, "batching": "grouped"}, {"global_batch_size": 4, "order": "by_length", "layout": "padded"}),
        (
            {"batch_size": 4, "gradient_accumulation": 3, "workers": 2, "batching": "packed"},
            {"global_batch_size": 24, "order": "shuffled", "layout": "packed", "workers": 2},
        ),
        ({"gradient_accumulation": 2}, {"global_batch_size": 32, "order": "by_length", "layout": "padded"}),
    ],
    ids=str,
)
def test_settings_of_an_earlier_version_are_read(earlier: dict[str, Any], now: dict[str, Any]) -> None:
    assert Training.model_validate(earlier) == Training(**now)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"batch_size": 4, "global_batch_size": 8},
            "batch_size of an earlier version beside global_batch_size",
        ),
        ({"batch_size": "many"}, "expected whole numbers from 1 on"),
        ({"batch_size": 0}, "expected whole numbers from 1 on"),
        ({"batching": "sorted"}, "batching: expected grouped or packed, got 'sorted'"),
    ],
    ids=str,
)
def test_settings_of_two_versions_at_once_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Training.model_validate(settings)
