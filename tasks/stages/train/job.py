"""What a worker needs. In a file of its own, for what hands a job on and does not train: the loop imports torch."""

from dataclasses import dataclass, field
from pathlib import Path

from tasks.core.params.training import Training
from tasks.stages.train import versions
from tasks.stages.train.versions import Versions


@dataclass(frozen=True)
class Job:
    """Paths are on a disk that all workers see."""

    training: Training
    model: Path
    """The base model's folder."""
    rows: Path
    """What stage `tokenise` wrote: `rows/examples.py`."""
    checkpoints: Path
    output: Path
    """Empty folder for the trained weights, beside the checkpoints: in a sandbox the stage's own outputs lie elsewhere
    than a worker of a cluster would find them."""
    scratch: Path
    """Folder for the live record and each worker's peak memory."""
    versions: Versions = field(default_factory=versions.of_here)
    """Of the machine that starts the training."""
    skipped: tuple[int, ...] = ()
    """Steps, from 0, that are left out, since their loss was no number or leapt."""

    @property
    def record(self) -> Path:
        """JSON lines, one a step, appended by rank 0 while it trains."""
        return self.scratch / "record.jsonl"
