"""What a worker needs. In a file of its own, for what hands a job on and does not train: the loop imports torch."""

from dataclasses import dataclass
from pathlib import Path

from tasks.core.params.training import Training


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

    @property
    def record(self) -> Path:
        """JSON lines, one a step, appended by rank 0 while it trains."""
        return self.scratch / "record.jsonl"
