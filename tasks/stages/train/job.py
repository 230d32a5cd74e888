"""Job: the parameters and paths of a training that every worker needs.

It has a file of its own so that code which only passes a job on need not import the loop, and with it torch.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.core.params.training import Training
from tasks.stages.cluster import versions
from tasks.stages.cluster.storage.trees import Tree
from tasks.stages.cluster.versions import Versions
from tasks.stages.train.coordinator import END_REQUEST_FILE, LOG_FILE, MORE_WORKERS_FILE


@dataclass(frozen=True)
class RemoteStorage:
    place: str
    """Location of the storage: s3://BUCKET/PREFIX, or a folder that all machines mount."""
    name: str
    """Folder in the storage that belongs to this training alone."""
    model: Tree
    rows: Tree
    coordinator: Any = None
    """Ray handle of the coordinator on the machine that starts the training; None before it is started."""


@dataclass(frozen=True)
class Job:
    """Parameters and paths of a training.

    Paths are on a disk that all workers share or, if `remote` is set, on the disk of the machine that starts the
    training.
    """

    training: Training
    model: Path
    rows: Path
    """Output folder of stage `tokenise` (`rows/examples.py`)."""
    checkpoints: Path
    output: Path
    """Empty folder for the trained weights, beside the checkpoints. The stage's own output folder would not do: in a
    sandbox it has a path at which the workers of a cluster would not find it."""
    scratch: Path
    versions: Versions = field(default_factory=versions.installed_versions)
    """Library versions of the machine that starts the training."""
    inputs: str = ""
    """Digest of everything that decides the trained weights."""
    skipped_steps: tuple[int, ...] = ()
    """Steps, counted from 0, that are skipped because their loss was not finite or had jumped."""
    unfit_machines: tuple[str, ...] = ()
    """Ray's ids of machines that cannot train with the others."""
    remote: RemoteStorage | None = None
    on_cluster: bool = False
    """Whether the training runs on a cluster, which announces preemptions."""

    @property
    def training_log(self) -> Path:
        """Path of the training log: one line of JSON for each step, appended while the training runs."""
        return self.scratch / LOG_FILE

    @property
    def more_workers_file(self) -> Path:
        """Path of a file that appears when the cluster has room for more of the workers that the training asks for."""
        return self.scratch / MORE_WORKERS_FILE

    @property
    def end_request_file(self) -> Path:
        """Path of a file that appears when the stage is asked to end; the workers then write a checkpoint and end."""
        return self.scratch / END_REQUEST_FILE
