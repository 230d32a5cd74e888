"""Peak floating-point operations per second of a device, and the source of this value."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.core.params.training import Training

TERA = 1e12
PEAK_TERAFLOPS: Mapping[str, Mapping[str, float]] = {
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
"""Peak performance in 10^12 operations per second, by torch's device name and by precision, from the vendors' data
sheets. The values are for dense matrices; some data sheets print values for sparse matrices, which are twice as high.
The fp32 values do not include tensor cores, because torch uses TF32 only on request."""
MATRIX_SIDE = 1024
MEASUREMENT_SECONDS = 0.2
"""Duration of the measurement in seconds. At least one matrix product is computed, even if it takes longer."""


@dataclass(frozen=True)
class DevicePeak:
    operations: float | None
    """Operations per second; None if unknown."""
    source: str


def worker_peak(training: Training) -> DevicePeak:
    """Return the peak performance of this worker's device. The peak of a CPU is measured, which takes 0.2 s."""
    if training.device == "cpu":
        return measure_cpu_peak(training)
    import torch

    return gpu_peak(torch.cuda.get_device_name(), training.precision)


def gpu_peak(name: str, precision: str) -> DevicePeak:
    peak = PEAK_TERAFLOPS.get(name, {}).get(precision)
    if peak is None:
        return DevicePeak(None, f"no figure is known for {name} in {precision}")
    return DevicePeak(peak * TERA, f"the data sheet of {name}, dense {precision}")


def measure_cpu_peak(training: Training) -> DevicePeak:
    """Measure the peak performance of a worker's CPU threads, from the fastest of several matrix products."""
    import torch

    kind = torch.bfloat16 if training.precision == "bf16" else torch.float32
    one, other = (torch.ones(MATRIX_SIDE, MATRIX_SIDE, dtype=kind) for _ in range(2))
    fastest, began = float("inf"), time.perf_counter()
    while True:
        fastest = min(fastest, _time_product(one, other))
        if time.perf_counter() - began >= MEASUREMENT_SECONDS:
            break
    what = f"products of matrices of {MATRIX_SIDE:,} x {MATRIX_SIDE:,} in {training.precision}, measured on this CPU"
    return DevicePeak(2 * MATRIX_SIDE**3 / fastest, what)


def _time_product(one: Any, other: Any) -> float:
    began = time.perf_counter()
    one @ other
    return time.perf_counter() - began
