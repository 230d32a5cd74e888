"""Utilisation of the devices in a step: number of computed positions, and model FLOPs utilisation."""

from typing import Any

from torch import distributed

from tasks.stages.train.job import Job
from tasks.stages.train.preflight import device_peak, model_shape, operations
from tasks.stages.train.preflight.device_peak import Peak
from tasks.stages.train.rows import passes
from tasks.stages.train.rows.order import Order


class Utilisation:
    """Utilisation of the devices of all workers.

    All workers have to create one at the same point, because they exchange the peak performance of their devices.
    """

    def __init__(self, job: Job) -> None:
        self.training = job.training
        self.peak = total_peak(device_peak.worker_peak(job.training))
        self._operations = operations.of(job.training, model_shape.read(job.model))

    def of_step(self, order: Order, number: int, seconds: float) -> dict[str, Any]:
        """Return the measurements of a step: `positions` that all workers computed and, if the peak is known, `mfu`.

        Both depend on the machines and are therefore not part of the training curve.
        """
        rows = order.step(number)
        lengths, workers = order.examples.lengths(rows), distributed.get_world_size()
        plan = passes.plan(lengths, self.training, workers)
        measured: dict[str, Any] = {"positions": passes.computed_positions(lengths, plan, self.training.packed)}
        if self._operations and self.peak.operations:
            needed = self._operations.of_rows(lengths, order.examples.targets(rows))
            measured["mfu"] = needed / (seconds * self.peak.operations)
        return measured

    @property
    def peak_source(self) -> str | None:
        return self.peak.source if self._operations and self.peak.operations else None


def total_peak(own: Peak) -> Peak:
    """Return the sum of the peaks of all workers' devices, which is unknown if one of the peaks is unknown."""
    if distributed.get_world_size() == 1:
        return own
    peaks: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(peaks, own)
    unknown = [peak for peak in peaks if peak.operations is None]
    if unknown:
        return Peak(None, unknown[0].source)
    return Peak(sum(peak.operations for peak in peaks), ", ".join(sorted({peak.source for peak in peaks})))
