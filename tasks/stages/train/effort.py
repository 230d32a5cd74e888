"""What a step took of the devices: how full they were, and how much of what they can do it used."""

from typing import Any

from torch import distributed

from tasks.stages.train import devices
from tasks.stages.train.devices import Peak
from tasks.stages.train.job import Job
from tasks.stages.train.preflight import operations, shape
from tasks.stages.train.rows import passes
from tasks.stages.train.rows.order import Order


class Effort:
    """Every worker makes one at the same place, since it asks all of them what their device can do."""

    def __init__(self, job: Job) -> None:
        self.training = job.training
        self.peak = together(devices.of(job.training))
        self._operations = operations.of(job.training, shape.read(job.model))

    def of(self, order: Order, number: int, seconds: float) -> dict[str, Any]:
        """Of step `number`: `positions` that all workers computed, and `mfu`, where it is known. Beside the curve, for
        they depend on the machines."""
        rows = order.step(number)
        lengths, workers = order.examples.lengths(rows), distributed.get_world_size()
        plan = passes.plan(lengths, self.training, workers)
        told: dict[str, Any] = {"positions": passes.computed(lengths, plan, self.training.packed)}
        if self._operations and self.peak.operations:
            needed = self._operations.of(lengths, order.examples.targets(rows))
            told["mfu"] = needed / (seconds * self.peak.operations)
        return told

    @property
    def source(self) -> str | None:
        """What `mfu` is a share of, in words; None where there is none."""
        return self.peak.source if self._operations and self.peak.operations else None


def together(own: Peak) -> Peak:
    """Of all workers; unknown where it is so of one."""
    if distributed.get_world_size() == 1:
        return own
    peaks: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(peaks, own)
    unknown = [peak for peak in peaks if peak.operations is None]
    if unknown:
        return Peak(None, unknown[0].source)
    return Peak(sum(peak.operations for peak in peaks), ", ".join(sorted({peak.source for peak in peaks})))
