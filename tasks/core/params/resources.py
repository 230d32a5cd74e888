"""Section `resources` of params.yaml. No output of a stage depends on it, so a change runs no stage again."""

from typing import Annotated

from pydantic import Field

from tasks.core.documents.config import FrozenModel


class Resources(FrozenModel):
    """Memory, price and speed of the machines that train, for `hallmark preflight`."""

    price_per_hour: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.10
    """USD for one hour of one worker: its device and its share of the machine."""
    memory_gib: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """GiB of memory of one worker: of its GPU, or its share of the machine. Null: that of this machine; unknown for a
    cluster."""
    host_memory_gib: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """GiB of main memory of one machine, for data that its workers offload. Null: that of this machine; unknown for a
    cluster."""
    tokens_per_second: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Training speed of one worker. Null: the speed of the last training here if it had the same method, device,
    precision, threads, layout, ZeRO stage and kernels, else an assumption."""
