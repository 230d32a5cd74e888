"""How many floating-point operations a second a device can make at most, and where that figure comes from."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.core.params.training import Training

TERA = 1e12
PEAKS: Mapping[str, Mapping[str, float]] = {
    "NVIDIA H100 80GB HBM3": {"bf16": 989.4, "fp32": 66.9},
    "NVIDIA H100 PCIe": {"bf16": 756.0, "fp32": 51.2},
    "NVIDIA H100 NVL": {"bf16": 835.5, "fp32": 60.0},
    "NVIDIA H200": {"bf16": 989.4, "fp32": 66.9},
    "NVIDIA H200 NVL": {"bf16": 835.5, "fp32": 60.0},
    "NVIDIA A100-SXM4-40GB": {"bf16": 312.0, "fp32": 19.5},
    "NVIDIA A100-SXM4-80GB": {"bf16": 312.0, "fp32": 19.5},
    "NVIDIA A100-PCIE-40GB": {"bf16": 312.0, "fp32": 19.5},
    "NVIDIA A100 80GB PCIe": {"bf16": 312.0, "fp32": 19.5},
    "NVIDIA A30": {"bf16": 165.0, "fp32": 10.3},
    "NVIDIA A10": {"bf16": 125.0, "fp32": 31.2},
    "NVIDIA L40S": {"bf16": 362.0, "fp32": 91.6},
    "NVIDIA L4": {"bf16": 121.0, "fp32": 30.3},
    "AMD Instinct MI300X": {"bf16": 1307.4, "fp32": 163.4},
    "AMD Instinct MI325X": {"bf16": 1307.4, "fp32": 163.4},
}
"""10^12 operations a second by the name that torch gives the device, from the vendors' data sheets: dense, where they
print twice as much for sparse matrices; fp32 without tensor cores, since torch uses TF32 only where it is told to."""
SIDE = 1024
"""Of the matrices that are multiplied on a CPU."""
SECONDS = 0.2
"""How long they are, at least once."""


@dataclass(frozen=True)
class Peak:
    operations: float | None
    """A second; None where nobody knows."""
    source: str
    """In words."""


def of(training: Training) -> Peak:
    """Of the device that this worker computes on. On a CPU it is measured, which takes a moment."""
    if training.device == "cpu":
        return measured(training)
    import torch

    return listed(torch.cuda.get_device_name(), training.precision)


def listed(name: str, precision: str) -> Peak:
    """A GPU's, by its name."""
    peak = PEAKS.get(name, {}).get(precision)
    if peak is None:
        return Peak(None, f"no figure is known for {name} in {precision}")
    return Peak(peak * TERA, f"the data sheet of {name}, dense {precision}")


def measured(training: Training) -> Peak:
    """The fastest of some products of two matrices, on the threads of a worker."""
    import torch

    kind = torch.bfloat16 if training.precision == "bf16" else torch.float32
    one, other = (torch.ones(SIDE, SIDE, dtype=kind) for _ in range(2))
    fastest, began = float("inf"), time.perf_counter()
    while True:
        fastest = min(fastest, _seconds(one, other))
        if time.perf_counter() - began >= SECONDS:
            break
    what = f"products of matrices of {SIDE:,} x {SIDE:,} in {training.precision}, measured on this CPU"
    return Peak(2 * SIDE**3 / fastest, what)


def _seconds(one: Any, other: Any) -> float:
    began = time.perf_counter()
    one @ other
    return time.perf_counter() - began
