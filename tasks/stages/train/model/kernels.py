"""Kernels that compute the model's layers (`training.kernels`): PyTorch's, compiled ones, or Liger's.

The setting `compiled` compiles the decoder layers separately. Because they are alike, one compilation serves all of
them, and the first step stays short ("regional compilation" in PyTorch's documentation of torch.compile). Names of
weights do not change.
"""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tasks.core.errors import InputError
from tasks.core.params.training import Training

COMPILERS = {"cpu": "g++", "gpu": "gcc"}
"""Compiler that torch uses, by device. On GPUs, torch also needs Triton."""
MAX_COMPILATIONS = 64
"""Maximum number of compilations of a layer. A layer is compiled with and without gradients, for a single row and for
several rows, and for each kind of attention."""
CACHE_VARIABLES = ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR")
LIGER_KERNELS = {
    "rope": True, "rms_norm": True, "swiglu": True, "geglu": True,
    "cross_entropy": False, "fused_linear_cross_entropy": False,
}  # fmt: skip
"""Whether each Liger kernel is enabled. Liger's losses are disabled, because `target_loss.py` computes logits at
targets only."""


def require_kernel_tools(training: Training) -> None:
    missing = [name for name, is_there in _required_tools(training).items() if not is_there]
    if missing:
        raise InputError(
            f"training.kernels {training.kernels} needs {' and '.join(missing)}, which this machine lacks: install it, "
            "or set training.kernels to plain"
        )


def _required_tools(training: Training) -> dict[str, bool]:
    if training.kernels == "plain":
        return {}
    compiler = COMPILERS[training.device]
    needed = {f"the compiler {compiler} (Debian and Ubuntu: apt install g++)": shutil.which(compiler) is not None}
    if training.device == "gpu":
        needed["triton (the CUDA build of torch brings it)"] = find_spec("triton") is not None
    if training.kernels == "liger":
        needed["liger-kernel (pip install 'hallmark[liger]')"] = find_spec("liger_kernel") is not None
    return needed


def apply_kernels(model: Any, training: Training, scratch: Path) -> None:
    """Set the kernels of a model's layers. Compiled kernels are written to a new folder in `scratch`."""
    if training.kernels == "plain":
        return
    own = scratch / f"kernels-{os.environ.get('RANK', '0')}"
    # Kernels found in this folder are executed without a check, so it has to be empty. The default is a folder in /tmp
    # that all programs share.
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    os.environ.update(dict.fromkeys(CACHE_VARIABLES, str(own)))
    {"compiled": _compile_layers, "liger": _use_liger}[training.kernels](model)


def _compile_layers(model: Any) -> None:
    import torch
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    if not layers:
        raise InputError(
            f"training.kernels compiled knows no layers of a {model.config.model_type}; set training.kernels to plain"
        )
    torch._dynamo.config.recompile_limit = MAX_COMPILATIONS
    for layer in layers:
        # In place: torch.compile(layer) would return another module, in which weights have other names.
        layer.compile(dynamic=True, options={"fallback_random": True})


def _use_liger(model: Any) -> None:
    from liger_kernel.transformers import monkey_patch

    kind = model.config.model_type
    if kind not in monkey_patch.MODEL_TYPE_TO_APPLY_LIGER_FN:  # Liger itself would only log that it does nothing
        raise InputError(f"training.kernels liger has no kernels for a {kind}; set training.kernels to plain")
    monkey_patch._apply_liger_kernel_to_instance(model=model, **LIGER_KERNELS)
