"""`resources` of params.yaml. No stage's result depends on it, so a change makes none run again."""

from typing import Annotated

from pydantic import Field

from tasks.core.config import Frozen


class Resources(Frozen):
    """What the machines that train are like, for `hallmark preflight`."""

    price_per_hour: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.10
    """USD for an hour of one worker: its device and its share of the machine."""
    memory_gib: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """GiB that a worker has: of its GPU, or of the machine. null: what this machine has; of a cluster unknown."""
    host_memory_gib: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """GiB of a machine for what its workers offload. null: what this machine has; of a cluster unknown."""
    tokens_per_second: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """That one worker trains on. null: what the last training here took, if it had the same method, device, precision,
    threads, layout, ZeRO stage and kernels, else an assumption."""
