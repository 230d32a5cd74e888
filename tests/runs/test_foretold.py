"""What a training will need is told in a fresh clone too."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from tasks.core.errors import InputError
from tasks.core.layout import Layout
from tasks.runs.requests import resolution, training_estimate
from tasks.stages.cluster.storage import training_storage
from tests.checkouts import Checkouts


@pytest.fixture
def project(tmp_path: Path, checkouts: Checkouts) -> Path:
    """A fresh clone."""
    return checkouts.made(tmp_path / "project")


def why(project: Path, changes: dict[str, str] | None = None) -> list[str]:
    """A run would be refused."""
    layout = Layout(project)
    layout.state.mkdir(exist_ok=True)
    return list(
        training_estimate.find_obstacles(resolution.read_params(project / "params.yaml", changes or {})[0], layout)
    )


def test_before_anything_was_made_it_goes_by_parameters_and_model_alone(project: Path) -> None:
    told = training_estimate.estimate_training(project, None, {})
    checkpoints = project / ".hallmark" / "checkpoints"
    checkpoints.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda of: SimpleNamespace(free=0 if of == checkpoints else 10**12))
        short = training_estimate.estimate_training(project, None, {})
    checkpoints.rmdir()
    assert short.estimate.lacks_disk_space and "make room" in training_estimate.remedy_sentence(short.estimate)
    assert training_estimate.to_json_document(short)["disk_fits"] is False
    assert told.estimate.fits_memory and told.estimate.workload is None and told.run_with_rows == ""
    assert not list((project / ".hallmark").iterdir())


def test_for_a_gpu_that_is_not_here_nothing_is_foretold(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    gpu = {"training.device": "gpu"}
    none = "training.workers 1 on device gpu needs as many GPUs, and this machine has none; set RAY_ADDRESS"
    with pytest.raises(InputError, match=none):
        training_estimate.estimate_training(project, None, gpu, calibrate_speed=True)
    assert none in why(project, gpu)[0], "a run asks that first"
    without = gpu | {"base_model.folder": "none/here", "base_model.wheel": "null", "base_model.sha256": "a" * 64}
    assert none in why(project, without)[0]
    elsewhere = gpu | {"resources.memory_gib": "80"}
    assert (
        training_estimate.estimate_training(project, None, elsewhere, calibrate_speed=False).estimate.fits_memory
        and why(project, elsewhere) == []
    )
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=80 << 30, name="any")
    )
    assert why(project, gpu) == []
    assert (
        "workers 2 on device gpu needs as many GPUs, and this machine has 1;"
        in why(project, gpu | {"training.workers": "2"})[0]
    )
    monkeypatch.setenv("RAY_ADDRESS", "somewhere:6379")
    assert (
        training_estimate.estimate_training(project, None, gpu).estimate.fits_memory is None and why(project, gpu) == []
    )


def test_what_the_answers_would_lack_is_told_before_the_training_is_paid_for(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gpu = {"evaluation.device": "gpu"}
    assert "evaluation.device is gpu and this machine has none" in why(project, gpu)[0]
    assert why(project, gpu | {"resources.memory_gib": "80"}) == []
    monkeypatch.setenv("RAY_ADDRESS", "somewhere:6379")
    assert why(project, gpu) == []
    monkeypatch.delenv("RAY_ADDRESS")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    vllm = gpu | {"evaluation.engine": "vllm"}
    assert "evaluation.engine vllm: vLLM is not installed here" in why(project, vllm)[0]
    asked, _ = resolution.read_params(project / "params.yaml", vllm)
    assert list(training_estimate.find_obstacles(asked, Layout(project), on_other_machine=True)) == [], (
        "another machine looks at its own"
    )


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_model_that_cannot_be_read_is_told_in_words(project: Path, name: str) -> None:
    asked, _ = resolution.read_params(project / "params.yaml", {})
    assert asked.base_model.folder, "a folder, whose headers alone are read"
    (project / asked.base_model.folder / name).write_bytes(b"{ no model")
    with pytest.raises(InputError, match=name):
        training_estimate.estimate_training(project, None, {})
    assert name in why(project)[0]


def test_a_target_that_the_base_model_has_not_is_named_before_anything_is_made(project: Path) -> None:
    wrong = {"training.lora_targets": "[q_proj, o_prjo]"}
    with pytest.raises(InputError, match="has no linear layer o_prjo; like it are o_proj"):
        training_estimate.estimate_training(project, None, wrong)
    assert "has no linear layer o_prjo" in why(project, wrong)[0]
    assert why(project, {"training.lora_targets": "[q_proj, down_proj]"}) == []


def test_a_run_is_refused_what_cannot_fit_and_on_a_cluster_goes_by_what_is_said(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RAY_ADDRESS", training_storage.LOCATION_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    small = {"resources.memory_gib": "0.0001"}
    assert why(project) == []
    assert "a worker needs" in why(project, small)[0] and "(hallmark preflight shows more)" in why(project, small)[0]
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=1000))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    assert "has 0.0 GiB" in why(project)[0]
    monkeypatch.setenv("RAY_ADDRESS", "somewhere:6379")
    assert "are free; make room" in why(project)[0]  # a disk that the machines share
    monkeypatch.setenv(training_storage.LOCATION_VARIABLE, "s3://bucket/training")
    assert why(project) == []
    assert "a worker needs" in why(project, small)[0]
