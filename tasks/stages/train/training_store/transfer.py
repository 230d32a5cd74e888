"""Transfer of model, rows and weights between the storage and the machine that starts a training run."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.core.errors import DOCUMENT_ERRORS
from tasks.core.files import read_json, tree_manifest, write_json
from tasks.core.progress import print_progress
from tasks.stages.cluster.storage import trees
from tasks.stages.cluster.storage.training_storage import TrainingStorage
from tasks.stages.train.coordinator import WEIGHTS_FILE, Coordinator, read_stored_checkpoints
from tasks.stages.train.job import Job, RemoteStorage
from tasks.stages.train.recovery.checkpoints import KEPT_CHECKPOINTS
from tasks.stages.train.rows import examples

STORAGE_FILE = "storage.json"
"""Name of the file next to the checkpoints that says where the storage is, and which of its folders the run has."""


def upload_inputs(job: Job, storage: TrainingStorage | None) -> Job:
    """Upload the model and the rows for the machines of the cluster, and return a job that reads them from there.

    If `storage` is None, the machines share a disk, and the job is returned unchanged.
    """
    if storage is None:
        return job
    model, rows = tree_manifest(job.model), dict.fromkeys((*examples.EXAMPLE_FILES, examples.INDEX_FILE), "")
    rows = {name: digest for name, digest in tree_manifest(job.rows).items() if name in rows}
    for folder, tree, what in ((job.model, model, "the model"), (job.rows, rows, "the rows")):
        trees.store_shared_tree(storage, folder, tree, "train", what)
    return replace(
        job, remote=RemoteStorage(storage.location, training_folder_name(job.checkpoints, storage), model, rows)
    )


def training_folder_name(checkpoints: Path, storage: TrainingStorage) -> str:
    """Return the name of the training run's folder in the storage.

    A resumed training run gets its earlier name, and every other run a new one. If the storage has changed, training
    starts from the beginning, because the checkpoints are in the earlier storage.
    """
    file = checkpoints / STORAGE_FILE
    if known := _stored_name(file, storage):
        return known
    for each in read_stored_checkpoints(checkpoints):
        print(
            f"checkpoint of step {each.step} lies in another storage than {storage.location}, and is not used",
            flush=True,
        )
    for path in checkpoints.glob("stored-*.json"):
        path.unlink()
    name = f"training-{secrets.token_hex(16)}"
    write_json(file, {"place": storage.location, "name": name})
    return name


def _stored_name(file: Path, current_storage: TrainingStorage) -> str | None:
    if not file.exists():
        return None
    try:
        storage = read_json(file)
        return str(storage["name"]) if storage["place"] == current_storage.location else None
    except DOCUMENT_ERRORS:
        print(f"{file} is damaged; the training begins anew", flush=True)
        return None


@contextmanager
def run_coordinator(job: Job) -> Iterator[Job]:
    """Run a coordinator during the block and yield the job with its handle. Ray has to be connected."""
    if job.remote is None:
        yield job
        return
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    desk: Any = (
        ray.remote(Coordinator)
        .options(num_cpus=0, scheduling_strategy=here)
        .remote(job.checkpoints, job.scratch, KEPT_CHECKPOINTS)
    )
    try:
        yield replace(job, remote=replace(job.remote, coordinator=desk))
    finally:
        ray.kill(desk)


def fetch_weights(job: Job) -> None:
    if job.remote is None:
        return
    place = TrainingStorage(job.remote.location)
    print_progress("train", f"fetching the weights from {place.location}")
    trees.fetch_tree(place, job.remote.folder_name, read_json(job.scratch / WEIGHTS_FILE), job.weights_folder)


def remove_training_folder(job: Job) -> None:
    """Remove the training run's folder from the storage.

    This is done after the stage has written its outputs. Until then, the training run can be resumed from this folder.
    """
    if job.remote:
        TrainingStorage(job.remote.location).remove(job.remote.folder_name)
