"""Loading of checkpoints as data only, so that nothing in them is executed.

torch stores objects as pickles, which can call any function. It has a loader that accepts tensors and the classes
listed here, but DeepSpeed asks for the other one.
"""

import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.core.errors import Refused

FORCE_VARIABLE, NO_FORCE_VARIABLE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
"""Environment variables of torch, which loads nothing if both are set."""
ALLOWED_CLASSES = (
    "deepspeed.runtime.fp16.loss_scaler:LossScaler",
    "deepspeed.runtime.zero.config:ZeroStageEnum",
    "deepspeed.utils.tensor_fragment:fragment_address",
)
"""Classes of objects that DeepSpeed stores beside tensors."""
ALLOW_CODE = f"""
import pkgutil, torch
torch.serialization.add_safe_globals([pkgutil.resolve_name(name) for name in {ALLOWED_CLASSES!r}])
"""
"""Python code that permits ALLOWED_CLASSES in another process."""


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != NO_FORCE_VARIABLE} | {FORCE_VARIABLE: "1"}


@contextmanager
def data_only(name: str) -> Iterator[None]:
    """Make torch load data only, inside the block.

    Raises:
        Refused: Checkpoint `name` contains other objects.
    """
    from pkgutil import resolve_name

    import torch

    before = {variable: os.environ.pop(variable, None) for variable in (FORCE_VARIABLE, NO_FORCE_VARIABLE)}
    os.environ[FORCE_VARIABLE] = "1"
    try:
        with torch.serialization.safe_globals([resolve_name(kind) for kind in ALLOWED_CLASSES]):
            yield
    except pickle.UnpicklingError:
        raise Refused(
            f"checkpoint {name} has objects in it that no training writes, and was not loaded; remove it to go on from "
            "the one before"
        ) from None
    finally:
        del os.environ[FORCE_VARIABLE]
        os.environ.update({variable: value for variable, value in before.items() if value is not None})
