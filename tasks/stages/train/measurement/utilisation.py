"""Utilisation of the devices in a step: number of computed positions, and model FLOPs utilisation."""

from typing import Any

from torch import distributed

from tasks.stages.train.job import Job
from tasks.stages.train.preflight import device_peak, model_shape, operations
from tasks.stages.train.preflight.device_peak import DevicePeak
from tasks.stages.train.rows import forward_passes
from tasks.stages.train.rows.order import RowOrder


class Utilisation:
    """Utilisation of the devices of all workers.

    All workers have to create an instance at the same point, because they then exchange the peak performance of their
    devices.
    """

    def __init__(self, job: Job) -> None:
        self.training = job.training
        self.peak = sum_worker_peaks(device_peak.worker_peak(job.training))
        self._operations = operations.count_operations(job.training, model_shape.read_model_shape(job.model))

    def measure_step(self, order: RowOrder, number: int, seconds: float) -> dict[str, Any]:
        """Return the measurements of a step: the number of computed `positions` and, if the peak is known, `mfu`.

        Both depend on the machines and are therefore not part of the training curve.
        """
        rows = order.rows_of_step(number)
        lengths, workers = order.examples.row_lengths(rows), distributed.get_world_size()
        plan = forward_passes.plan_passes(lengths, self.training, workers)
        measured: dict[str, Any] = {
            "positions": forward_passes.count_computed_positions(lengths, plan, self.training.uses_packed_layout)
        }
        if self._operations and self.peak.operations:
            needed = self._operations.count_for_rows(lengths, order.examples.target_counts(rows))
            measured["mfu"] = needed / (seconds * self.peak.operations)
        return measured

    @property
    def peak_source(self) -> str | None:
        return self.peak.source if self._operations and self.peak.operations else None


def sum_worker_peaks(own_peak: DevicePeak) -> DevicePeak:
    """Return the sum of the peaks of all workers' devices. The sum is unknown if one of the peaks is unknown."""
    if distributed.get_world_size() == 1:
        return own_peak
    peaks: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(peaks, own_peak)
    unknown = [peak for peak in peaks if peak.operations is None]
    if unknown:
        return DevicePeak(None, unknown[0].source)
    return DevicePeak(sum(peak.operations for peak in peaks), ", ".join(sorted({peak.source for peak in peaks})))
