"""Training job: the parameters and paths that every worker needs.

Code that only passes on a job can import this file without importing torch, which the training loop needs.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.core.params.training import Training
from tasks.stages.cluster import versions
from tasks.stages.cluster.storage.trees import Tree
from tasks.stages.cluster.versions import LibraryVersions
from tasks.stages.train.coordinator import END_REQUEST_FILE, LOG_FILE, MORE_WORKERS_FILE


@dataclass(frozen=True)
class RemoteStorage:
    location: str
    """Location of the storage: `s3://BUCKET/PREFIX`, or a folder that all machines mount."""
    folder_name: str
    """Name of the folder in the storage that belongs to this training run only."""
    model_files: Tree
    row_files: Tree
    coordinator: Any = None
    """Ray handle of the coordinator; None before the coordinator is started."""


@dataclass(frozen=True)
class Job:
    """Parameters and paths of a training run.

    If `remote` is set, the paths are on the disk of the machine that starts the training run. Otherwise they are on a
    disk that all workers share.
    """

    training: Training
    model: Path
    rows: Path
    checkpoints: Path
    weights_folder: Path
    """Empty folder for the trained weights, next to the checkpoints. Workers cannot write to the stage's own output
    folder, because its path exists only in the stage's sandbox."""
    scratch: Path
    versions: LibraryVersions = field(default_factory=versions.installed_versions)
    """Library versions of the machine that starts the training run."""
    inputs_digest: str = ""
    """Digest of all inputs that affect the trained weights."""
    skipped_steps: tuple[int, ...] = ()
    """Steps, counted from 0, that are skipped because their loss was not finite or had jumped."""
    unfit_machines: tuple[str, ...] = ()
    """Ray's ids of machines that cannot train with the others."""
    remote: RemoteStorage | None = None
    is_on_cluster: bool = False
    """Whether the training run uses a cluster. Only a cluster announces preemptions."""

    @property
    def training_log(self) -> Path:
        """Path of the training log, which has one line of JSON for each step and grows during the training run."""
        return self.scratch / LOG_FILE

    @property
    def more_workers_file(self) -> Path:
        """Path of a file that is created when the cluster has room for more workers."""
        return self.scratch / MORE_WORKERS_FILE

    @property
    def end_request_file(self) -> Path:
        """Path of a file that is created when the stage has to end; the workers then write a checkpoint and end."""
        return self.scratch / END_REQUEST_FILE
