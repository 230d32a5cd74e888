"""Section `resources` of params.yaml. No stage's output depends on it, so changing it does not rerun any stage."""

from typing import Annotated

from pydantic import Field

from tasks.core.documents.config import FrozenModel


class Resources(FrozenModel):
    """Memory, price and speed of the machines used for training, for the estimates of `hallmark preflight`."""

    price_per_hour: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.10
    """Price of one worker per hour in USD, including its device and its share of the machine."""
    memory_gib: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Memory of one worker in GiB: the memory of its GPU, or its share of the machine's memory. Null: the value is that
    of this machine, or unknown if a cluster is used."""
    host_memory_gib: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Main memory of one machine in GiB, for data that its workers offload. Null: the value is that of this machine, or
    unknown if a cluster is used."""
    tokens_per_second: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Training speed of one worker in tokens per second. Null: the speed of the last training on this machine if it had
    the same method, device, precision, threads, layout, ZeRO stage and kernels; otherwise an assumed speed."""
