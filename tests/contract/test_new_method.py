"""A new training method is a file and a line in the table: IA3 (arXiv:2205.05638), trained and exported by PEFT."""

from pathlib import Path

from tests.changed_tree import ChangedTree

TABLE = "tasks/core/params/methods.py"
METHOD = '''"""IA3 (arXiv:2205.05638): vectors that rescale keys, values and feed-forward layers."""

from typing import TYPE_CHECKING

from tasks.core.params.training_methods.method import Adapter, Method, LayerShapes, module_name

if TYPE_CHECKING:
    from peft import IA3Config

ATTENTION, FEED_FORWARD = ("k_proj", "v_proj"), ("down_proj",)


def config(_: object, linear: LayerShapes) -> "IA3Config":
    from peft import IA3Config

    modules = {"target_modules": [*ATTENTION, *FEED_FORWARD], "feedforward_modules": [*FEED_FORWARD]}
    return IA3Config(**modules, task_type="CAUSAL_LM")


def count_weights(_: object, layers: LayerShapes) -> int:
    outputs = sum(shape[0] for name, shape in layers.items() if module_name(name) in ATTENTION)
    return outputs + sum(shape[1] for name, shape in layers.items() if module_name(name) in FEED_FORWARD)


IA3 = Method(
    summary="vectors that rescale keys, values and feed-forward layers",
    trained_part="an IA3 adapter of",
    adapter=Adapter(config, count_weights, weight_name_part="ia3_"),
    approaches=("lora",),
)
'''
TRAINING = """
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from tasks.core.files import read_json
from tasks.core.params import methods
from tasks.core.params.params import Params
from tasks.core.params.training_methods.method import ADAPTER
from tasks.stages.evaluate import models
from tasks.stages.train import log_follower, loop
from tasks.stages.train.preflight import model_shape, operations
from tests.stages.evaluate import house
from tests.stages.train.conftest import training

IA3 = {"method": "ia3", "lora_rank": None, "lora_alpha": None}


@pytest.mark.usefixtures("alone")
def test_two_steps_are_trained_exported_and_loaded(job, tiny):
    made = job(**IA3, global_batch_size=12, epochs=1, checkpoint_steps=1)
    loop.run_training(made)
    assert len(log_follower.read_log(made.training_log)) == 2
    assert read_json(made.weights_folder / "adapter_config.json")["peft_type"] == "IA3"
    weights, shape = load_file(made.weights_folder / "adapter_model.safetensors"), model_shape.read_model_shape(tiny)
    assert shape.trained_weight_count(made.training) == sum(weight.numel() for weight in weights.values())
    own, full = (operations.count_operations(each, shape).per_token for each in (made.training, training()))
    assert own < full

    settings = house.params().evaluation
    tokens = torch.tensor([[5, 6, 7, 8]])
    found = [
        models.load_model(located, settings)(tokens).logits
        for located in (models.ModelFolders(tiny), models.ModelFolders(tiny, made.weights_folder, ADAPTER))
    ]
    assert not torch.equal(*found), "what was trained answers"


def test_the_parameters_take_it():
    assert "`ia3`: vectors that rescale" in training(**IA3).model_json_schema()["properties"]["method"]["description"]
    with pytest.raises(ValidationError, match="method ia3 has no such settings: set lora_rank to null"):
        training(method="ia3")


def test_vllm_refuses_it():
    gpu = house.params(engine="vllm", device="gpu")
    with pytest.raises(ValidationError, match="engine vllm: vLLM serves no adapters but those of LoRA"):
        Params.model_validate({**gpu.model_dump(), "training": training(**IA3).model_dump()})
"""


def test_ia3_is_trained_exported_and_loaded(tmp_path: Path) -> None:
    tree = ChangedTree(tmp_path / "tree")
    tree.add("tasks/core/params/training_methods/ia3.py", METHOD)
    tree.insert(
        TABLE,
        "from tasks.core.params.training_methods.ia3 import IA3\n",
        before="from tasks.core.params.training_methods.method",
    )
    tree.insert(TABLE, '    "ia3": IA3,\n', before="}\n\nif TYPE_CHECKING")
    tree.add("tests/stages/train/test_ia3.py", TRAINING)
    tree.run("-m", "pytest", "-q", "-x", "tests/stages/train/test_ia3.py", "tests/core/test_methods.py")
