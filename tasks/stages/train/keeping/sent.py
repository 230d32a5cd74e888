"""On the machine that starts a training whose machines have no disk in common: what is sent off, and fetched after."""

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
"""File beside the checkpoints: the storage, and what the training is called there."""


def off(job: Job, place: Place | None) -> Job:
    """The job, with model and rows stored where the machines of the cluster find them; as it is without a storage."""
    if place is None:
        return job
    model, rows = tree_manifest(job.model), dict.fromkeys((*examples.FILES, examples.INDEX), "")
    rows = {name: digest for name, digest in tree_manifest(job.rows).items() if name in rows}
    for folder, tree, what in ((job.model, model, "the model"), (job.rows, rows, "the rows")):
        trees.share(place, folder, tree, "train", what)
    return replace(job, afar=Afar(place.where, name_of(job.checkpoints, place), model, rows))


def name_of(checkpoints: Path, place: Place) -> str:
    """Of the training in this storage: the same for who goes on, and nobody else's. In another storage it begins anew,
    since its checkpoints are not there."""
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
    """None also where it is damaged: what lies there is then nobody's."""
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
    """The job with somebody to tell, for one attempt. Ray is connected."""
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
    """Bring the trained weights into the job's output."""
    if job.afar is None:
        return
    place = Place(job.afar.place)
    announce("train", f"fetching the weights from {place.where}")
    trees.get(place, job.afar.name, read_json(job.scratch / WEIGHTS), job.output)


def remove(job: Job) -> None:
    """Take away what only the training needed. Once its outputs are whole: until then it could go on from there."""
    if job.afar:
        Place(job.afar.place).remove(job.afar.name)
