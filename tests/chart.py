"""Manifests that the Helm chart renders for each set of values, for tests."""

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

from infra.prefect.pools import base_job_template
from tasks.scheduling.pools import Pool
from tests.helm import EXAMPLES, NAMESPACE, render

SETS: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "gpu": ("gpu",),
    "spot": ("spot",),
    "kueue": ("kueue",),
    "shared-disk": ("shared-disk",),
    "production": ("production",),
    "sandbox": ("sandbox",),
    "one node": ("one-node",),
    "all": ("gpu", "spot", "kueue", "production"),
    "all on a shared disk": ("spot", "shared-disk", "production"),
}
"""Files of values in infra/kubernetes/examples, by name of the set; later files override earlier ones."""
CLUSTERS = [name for name in SETS if name != "one node"]
"""Sets of values with a Ray cluster."""
Manifest = dict[str, Any]


@cache
def rendered(which: str) -> list[Manifest]:
    return render(*(EXAMPLES / f"{name}.yaml" for name in SETS[which]))


def manifests(which: str) -> list[Manifest]:
    """Return the manifests of the chart, and the job of a flow run: the chart's own, or that of files/run.yaml."""
    documents = copy.deepcopy(rendered(which))
    template = template_of(documents) or copy.deepcopy(shipped_template())
    return [*documents, template["job_configuration"]["job_manifest"]]


@cache
def shipped_template() -> Manifest:
    """Return the base job template that `hallmark deploy` makes of files/run.yaml."""
    pool = Pool(type="kubernetes", image=f"registry.example/hallmark@sha256:{'0' * 64}", namespace=NAMESPACE)
    return base_job_template(pool)


def template_of(documents: list[Manifest]) -> Manifest | None:
    """Return the base job template that the chart's worker gives Prefect; None if `hallmark deploy` does."""
    given = [each["data"]["job.json"] for each in of_kind(documents, "ConfigMap")]
    return dict(json.loads(given[0])) if given else None


def leaves(value: Any) -> Iterator[Any]:
    """Yield everything in a document that is neither a mapping nor a list."""
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from leaves(each)
    else:
        yield value


def of_kind(documents: list[Manifest], kind: str) -> list[Manifest]:
    return [document for document in documents if document["kind"] == kind]


class Pod(NamedTuple):
    part: str
    """Name of the part, as network.outside has it."""
    template: Manifest

    @property
    def spec(self) -> Manifest:
        return dict(self.template["spec"])

    @property
    def containers(self) -> list[Manifest]:
        return [*self.spec["containers"], *self.spec.get("initContainers", [])]


def pods(documents: list[Manifest]) -> Iterator[Pod]:
    """Yield every pod; those of a Ray cluster in the form to which KubeRay completes them."""
    for document in (*of_kind(documents, "Deployment"), *of_kind(documents, "Job")):
        made = document["spec"]["template"]
        yield Pod(made["metadata"]["labels"]["app.kubernetes.io/name"].removeprefix("hallmark-"), made)
    for cluster in of_kind(documents, "RayCluster"):
        head = cluster["spec"]["headGroupSpec"]["template"]
        if cluster["spec"]["enableInTreeAutoscaling"]:
            given = {key: value for key, value in cluster["spec"]["autoscalerOptions"].items() if key in BESIDE}
            beside = {"name": "autoscaler", "image": head["spec"]["containers"][0]["image"], **given}
            head = head | {"spec": head["spec"] | {"containers": [*head["spec"]["containers"], beside]}}
        yield Pod("head", head)
        yield from (Pod("training", group["template"]) for group in cluster["spec"]["workerGroupSpecs"])


BESIDE = ("securityContext", "resources", "env", "envFrom", "volumeMounts", "image")
"""Keys of autoscalerOptions that KubeRay copies to the autoscaler's container in the head's pod."""


Change = Callable[[list[Manifest]], object]
WHERE = "all on a shared disk"
"""Set of values with everything that can be reached over the network."""


def spec_of(documents: list[Manifest], part: str = "training") -> Manifest:
    found: Manifest = next(pod.template["spec"] for pod in pods(documents) if pod.part == part)
    return found


def training_policy(documents: list[Manifest]) -> Manifest:
    (found,) = [p["spec"] for p in of_kind(documents, "NetworkPolicy") if p["metadata"]["name"] == "hallmark-training"]
    return dict(found)
