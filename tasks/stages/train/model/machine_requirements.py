"""Hardware and software that a training run needs on a machine: GPUs, a compiler, libraries."""

from collections.abc import Iterator
from importlib.util import find_spec

from tasks.core.errors import InputError
from tasks.core.params import methods
from tasks.core.params.training import Training
from tasks.stages.train.model import kernels


def require_software(training: Training) -> None:
    kernels.require_kernel_tools(training)
    for module, asks, remedy in _required_libraries(training):
        if find_spec(module) is None:
            raise InputError(f"{asks} needs {module}, which is not installed here: {remedy}")


def _required_libraries(training: Training) -> Iterator[tuple[str, str, str]]:
    if methods.get_method(training.method).is_quantised:
        what = f"training.method {training.method}"
        yield "bitsandbytes", what, "pip install 'hallmark[qlora]', or choose another method"
    if training.attention == "flash":
        yield "flash_attn", "training.attention flash", "pip install flash-attn, or set training.attention to auto"


def uses_flash_attention(training: Training) -> bool:
    could = training.device == "gpu" and training.precision == "bf16" and find_spec("flash_attn") is not None
    return training.attention == "flash" or (training.attention == "auto" and could)


def require_gpus(training: Training) -> None:
    if training.device == "cpu":
        return
    import torch

    gpus = torch.cuda.device_count()
    if gpus < training.workers:
        has = "none" if gpus == 0 else str(gpus)
        raise InputError(
            f"training.workers {training.workers} on device gpu needs as many GPUs, and this machine has {has}; set "
            "RAY_ADDRESS to a cluster that has them, or resources.memory_gib to what a GPU of another machine has"
        )
