"""Loading of checkpoints as data only, so that no code in them is executed.

torch stores objects as pickles, which can call any function. torch has a safe loader, which accepts only tensors and
permitted classes, but DeepSpeed requests the unsafe one.
"""

import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.core.errors import Refused

FORCE_SAFE_VARIABLE, FORBID_SAFE_VARIABLE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
"""Environment variables of torch that force or forbid the safe loader. If both are set, torch loads nothing."""
ALLOWED_CLASSES = (
    "deepspeed.runtime.fp16.loss_scaler:LossScaler",
    "deepspeed.runtime.zero.config:ZeroStageEnum",
    "deepspeed.utils.tensor_fragment:fragment_address",
)
"""Names of classes whose objects DeepSpeed stores in addition to tensors."""
ALLOW_CLASSES_CODE = f"""
import pkgutil, torch
torch.serialization.add_safe_globals([pkgutil.resolve_name(name) for name in {ALLOWED_CLASSES!r}])
"""
"""Python code that permits ALLOWED_CLASSES in another process."""


def safe_loading_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != FORBID_SAFE_VARIABLE} | {
        FORCE_SAFE_VARIABLE: "1"
    }


@contextmanager
def load_data_only(checkpoint_name: str) -> Iterator[None]:
    """Make torch load only data during the block.

    Raises:
        Refused: The checkpoint contains other objects.
    """
    from pkgutil import resolve_name

    import torch

    before = {variable: os.environ.pop(variable, None) for variable in (FORCE_SAFE_VARIABLE, FORBID_SAFE_VARIABLE)}
    os.environ[FORCE_SAFE_VARIABLE] = "1"
    try:
        with torch.serialization.safe_globals([resolve_name(kind) for kind in ALLOWED_CLASSES]):
            yield
    except pickle.UnpicklingError:
        raise Refused(
            f"checkpoint {checkpoint_name} has objects in it that no training writes, and was not loaded; remove it "
            "to go on from the one before"
        ) from None
    finally:
        del os.environ[FORCE_SAFE_VARIABLE]
        os.environ.update({variable: value for variable, value in before.items() if value is not None})
