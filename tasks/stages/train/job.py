"""What a worker needs. In a file of its own, for what hands a job on and does not train: the loop imports torch."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.core.params.training import Training
from tasks.stages.cluster import versions
from tasks.stages.cluster.storage.trees import Tree
from tasks.stages.cluster.versions import Versions
from tasks.stages.train.desk import LEAVE, MORE, RECORD


@dataclass(frozen=True)
class Afar:
    """Of a training whose machines have no disk in common."""

    place: str
    """The storage: s3://BUCKET/PREFIX, or a folder that all of them mount."""
    name: str
    """What lies below this in the storage is of this training alone."""
    model: Tree
    rows: Tree
    desk: Any = None
    """Ray's handle of `desk.py` on the machine that started the training."""


@dataclass(frozen=True)
class Job:
    """Paths are on a disk that all workers see, or, with `afar`, on that of the machine that starts the training."""

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
    inputs: str = ""
    """Digest of everything that decides the trained weights."""
    skipped: tuple[int, ...] = ()
    """Steps, from 0, that are left out, since their loss was no number or leapt."""
    unfit: tuple[str, ...] = ()
    """Ray's names for machines that cannot train with the others."""
    afar: Afar | None = None
    notices: bool = False
    """The cluster says when it is about to take a machine away."""

    @property
    def record(self) -> Path:
        """JSON lines, one a step, appended by rank 0 while it trains."""
        return self.scratch / RECORD

    @property
    def more(self) -> Path:
        """Appears while it trains with fewer workers than it would like, once there is room for more."""
        return self.scratch / MORE

    @property
    def leave(self) -> Path:
        """Appears when the workers are to end after a checkpoint, since the stage is asked to end."""
        return self.scratch / LEAVE
