"""What computes the layers: what it needs, where its files lie, what Liger is asked for.

That a compiled training takes the same steps is in test_invariance.py, for `make soak`. Liger needs a GPU, and was not
run.
"""

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from tasks.core.errors import InputError
from tasks.core.files import read_json, write_json
from tasks.stages.train.model import builders, engine, kernels
from tasks.stages.train.model.target_loss import TargetLoss
from tasks.stages.train.rows.batches import collate
from tasks.stages.train.rows.examples import Examples
from tests.soaking import soak
from tests.stages.train.conftest import BY_DYNAMO, MakeJob, training

ON_GPU = {"device": "gpu", "kernels": "compiled"}


@pytest.mark.parametrize(
    ("settings", "programs", "packages", "words"),
    [
        (
            {"kernels": "compiled"},
            [],
            [],
            r"compiled needs the compiler g\+\+ \(.*apt install g\+\+\), which this mach",
        ),
        (ON_GPU, ["g++"], ["triton"], r"needs the compiler gcc"),
        (
            ON_GPU,
            ["gcc"],
            [],
            r"needs triton \(the CUDA build of torch brings it\), which .* or set training.kernels to plain",
        ),
        (
            {**ON_GPU, "kernels": "liger"},
            ["gcc"],
            ["triton"],
            r"needs liger-kernel \(pip install 'hallmark\[liger\]'\)",
        ),
    ],
)
def test_what_is_missing_is_named_with_how_to_get_it(
    settings: dict[str, Any], programs: list[str], packages: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels.shutil, "which", lambda program: program if program in programs else None)
    monkeypatch.setattr(kernels, "find_spec", lambda package: package if package in packages else None)
    kernels.require_kernel_tools(training())
    with pytest.raises(InputError, match=words):
        kernels.require_kernel_tools(training(**settings))


def test_a_step_may_take_longer_where_kernels_are_compiled() -> None:
    assert builders.step_limit_seconds(training(hang_seconds=100)) == 100
    compiled = training(hang_seconds=100, kernels="compiled")
    assert builders.step_limit_seconds(compiled) == 100 + builders.EXTRA_COMPILE_SECONDS
    assert builders.worker_timeout_seconds(compiled) >= builders.step_limit_seconds(compiled)


@BY_DYNAMO
@pytest.mark.usefixtures("alone", "compiler")
@pytest.mark.parametrize("backend", ["eager", *soak(["inductor"])])
def test_compiled_rows_look_back_on_a_prefix_as_others_do(
    job: MakeJob, tiny: Path, rows24: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    """In one layer, as it is traced. That layers are computed alike in C++ is shown of other forms in
    test_invariance.py: each form takes half a minute to compile."""
    compile_layer = torch.nn.Module.compile

    def compiled(layer: torch.nn.Module, *, dynamic: bool, options: dict[str, Any]) -> None:
        of_inductor = {"options": options} if backend == "inductor" else {}
        compile_layer(layer, dynamic=dynamic, backend=backend, **of_inductor)

    monkeypatch.setattr(torch.nn.Module, "compile", compiled)
    shallow = Path(shutil.copytree(tiny, tmp_path / "shallow"))
    write_json(shallow / "config.json", read_json(shallow / "config.json") | {"num_hidden_layers": 1})
    shared, found = collate(rows24, [0, 7, 11, 2], share_prefix=True), []
    for kind in ("plain", "compiled"):
        torch.manual_seed(5)
        model = TargetLoss(engine.load_model(replace(job(kind, kernels=kind), model=shallow)))
        learnt = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        for weight in learnt.values():
            torch.nn.init.normal_(weight, std=0.1)
        loss = model(shared)
        loss.backward()
        found.append((loss.detach(), {name: weight.grad for name, weight in learnt.items()}))
    assert len(shared.prefix) > 50 and len(found[0][1]) > 10
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-5)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What Liger is asked for. It cannot be imported without Triton, which is for GPUs."""
    calls: list[dict[str, Any]] = []
    module = ModuleType("liger_kernel.transformers.monkey_patch")
    module.MODEL_TYPE_TO_APPLY_LIGER_FN = dict.fromkeys(["llama", "qwen3", "mistral", "gemma3_text"])
    module._apply_liger_kernel_to_instance = lambda **given: calls.append(given)
    package = ModuleType("liger_kernel.transformers")
    package.monkey_patch = module
    for name, value in (("liger_kernel", ModuleType("liger_kernel")), (package.__name__, package)):
        monkeypatch.setitem(sys.modules, name, value)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for name in kernels.CACHE_VARIABLES:
        monkeypatch.setenv(name, "of an earlier training")
    return calls


def of_kind(kind: str) -> Any:
    return SimpleNamespace(config=SimpleNamespace(model_type=kind))


@pytest.mark.parametrize("kind", ["llama", "qwen3", "mistral", "gemma3_text"])
def test_liger_computes_layers_and_not_the_loss(asked: list[dict[str, Any]], kind: str, tmp_path: Path) -> None:
    model = of_kind(kind)
    kernels.apply_kernels(model, training(device="gpu", kernels="liger"), tmp_path)
    (given,) = asked
    assert given.pop("model") is model
    assert {name for name, wanted in given.items() if wanted} == {"rope", "rms_norm", "swiglu", "geglu"}
    assert {name for name, wanted in given.items() if not wanted} == {"cross_entropy", "fused_linear_cross_entropy"}


def test_liger_refuses_a_kind_of_model_that_it_does_not_know(asked: list[dict[str, Any]], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"liger has no kernels for a strange_lm; set training.kernels to plain"):
        kernels.apply_kernels(of_kind("strange_lm"), training(device="gpu", kernels="liger"), tmp_path)
    assert not asked


@pytest.mark.usefixtures("asked")
def test_what_lay_where_kernels_are_kept_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "2")
    planted = tmp_path / "kernels-2" / "ab" / "planted.so"
    planted.parent.mkdir(parents=True)
    planted.touch()
    kernels.apply_kernels(of_kind("llama"), training(device="gpu", kernels="liger"), tmp_path)
    assert not planted.exists()
    assert all(Path(os.environ[name]).is_relative_to(tmp_path / "kernels-2") for name in kernels.CACHE_VARIABLES)
