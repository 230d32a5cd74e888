"""Transfer of model, rows and weights between the storage and the machine that starts a training."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.core.errors import NO_SUCH_DOCUMENT
from tasks.core.files import read_json, tree_manifest, write_json
from tasks.core.progress import announce
from tasks.stages.cluster.storage import trees
from tasks.stages.cluster.storage.place import Place
from tasks.stages.train.desk import WEIGHTS, Desk, stored
from tasks.stages.train.job import Afar, Job
from tasks.stages.train.recovery.checkpoints import KEPT
from tasks.stages.train.rows import examples

NAME = "storage.json"
"""File beside the checkpoints with the location of the storage and the training's folder in it."""


def off(job: Job, place: Place | None) -> Job:
    """Store model and rows where the machines of the cluster find them, and return the job with this storage.

    If `place` is None, the machines share a disk, and the job is returned unchanged.
    """
    if place is None:
        return job
    model, rows = tree_manifest(job.model), dict.fromkeys((*examples.FILES, examples.INDEX), "")
    rows = {name: digest for name, digest in tree_manifest(job.rows).items() if name in rows}
    for folder, tree, what in ((job.model, model, "the model"), (job.rows, rows, "the rows")):
        trees.share(place, folder, tree, "train", what)
    return replace(job, afar=Afar(place.where, name_of(job.checkpoints, place), model, rows))


def name_of(checkpoints: Path, place: Place) -> str:
    """Return the name of the training's folder in this storage.

    A resumed training gets its earlier name, and no other training gets it. In another storage the training begins
    anew, since its checkpoints are not there.
    """
    file = checkpoints / NAME
    if known := _told(file, place):
        return known
    for each in stored(checkpoints):
        print(f"checkpoint of step {each.step} lies in another storage than {place.where}, and is not used", flush=True)
    for path in checkpoints.glob("stored-*.json"):
        path.unlink()
    name = f"training-{secrets.token_hex(16)}"
    write_json(file, {"place": place.where, "name": name})
    return name


def _told(file: Path, place: Place) -> str | None:
    if not file.exists():
        return None
    try:
        told = read_json(file)
        return str(told["name"]) if told["place"] == place.where else None
    except NO_SUCH_DOCUMENT:
        print(f"{file} is damaged; the training begins anew", flush=True)
        return None


@contextmanager
def at_the_desk(job: Job) -> Iterator[Job]:
    """Run a coordinator for one attempt and yield the job with its handle. Ray has to be connected."""
    if job.afar is None:
        yield job
        return
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    desk: Any = (
        ray.remote(Desk).options(num_cpus=0, scheduling_strategy=here).remote(job.checkpoints, job.scratch, KEPT)
    )
    try:
        yield replace(job, afar=replace(job.afar, desk=desk))
    finally:
        ray.kill(desk)


def fetch(job: Job) -> None:
    if job.afar is None:
        return
    place = Place(job.afar.place)
    announce("train", f"fetching the weights from {place.where}")
    trees.get(place, job.afar.name, read_json(job.scratch / WEIGHTS), job.output)


def remove(job: Job) -> None:
    """Remove the training's folder from the storage.

    It is called once the stage's outputs are complete; until then the training can be resumed from that folder.
    """
    if job.afar:
        Place(job.afar.place).remove(job.afar.name)
