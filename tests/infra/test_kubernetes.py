"""What the pods of a training reach on Kubernetes, as the manifests say. No cluster was at hand to try them on."""

import copy
import lzma
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from tasks.stages.train.machines import member
from tests.tiny_project import ROOT

FILE = ROOT / "infra" / "kubernetes" / "training.yaml"
SHARED = Path(os.environ.get("HALLMARK_SHARED", ROOT.parent / "shared"))
KUBERAY = SHARED / "schemas" / "kuberay" / "ray.io_rayclusters.yaml.xz"
NAME = "hallmark-training"
RUNNER = {"app.kubernetes.io/name": "hallmark-runner"}
Manifest = dict[str, Any]


def manifests() -> list[Manifest]:
    return list(YAML(typ="safe").load_all(FILE.read_text()))


def of_kind(documents: list[Manifest], kind: str) -> list[Manifest]:
    return [document for document in documents if document["kind"] == kind]


def pods(documents: list[Manifest]) -> Iterator[Manifest]:
    """The pod templates of a Ray cluster."""
    for cluster in of_kind(documents, "RayCluster"):
        yield cluster["spec"]["headGroupSpec"]["template"]
        yield from (group["template"] for group in cluster["spec"]["workerGroupSpecs"])


def test_kubernetes_knows_every_field() -> None:
    for document in manifests():
        if document["apiVersion"] != "ray.io/v1":
            kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    for pod in pods(manifests()):
        alone = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "ray"} | pod["metadata"], "spec": pod["spec"]}
        kubernetes_validate.validate(alone, kubernetes_validate.latest_version(), strict=True)


@pytest.mark.skipif(not KUBERAY.exists(), reason="HALLMARK_SHARED/schemas/kuberay is not there")
def test_kuberay_knows_every_field() -> None:
    definition = YAML(typ="safe").load(lzma.decompress(KUBERAY.read_bytes()))
    schema = next(v["schema"]["openAPIV3Schema"] for v in definition["spec"]["versions"] if v["name"] == "v1")
    (cluster,) = of_kind(manifests(), "RayCluster")
    jsonschema.validate(cluster, closed(schema))


def closed(schema: Any) -> Any:
    """The same, in which a field that is not named is wrong, as the API server has it."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inside = {key: closed(value) for key, value in schema.items()}
    shut = isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields")
    return inside | {"additionalProperties": False} if shut and "additionalProperties" not in schema else inside


def open_doors(documents: list[Manifest]) -> Iterator[str]:
    """What lets a pod reach more than it is meant to, in words."""
    yield from _accounts(documents)
    yield from _networks(of_kind(documents, "NetworkPolicy"))
    for pod in pods(documents):
        yield from _pod(pod["spec"])
        if pod["metadata"]["labels"].get("app.kubernetes.io/name") != NAME:
            yield "a pod has another label than the network policy selects"
    for cluster in of_kind(documents, "RayCluster"):
        if cluster["spec"].get("authOptions", {}).get("mode") != "token":
            yield "Ray asks for no token"
        if cluster["spec"]["headGroupSpec"]["rayStartParams"].get("include-dashboard") != "false":
            yield "Ray's dashboard is on"


def _accounts(documents: list[Manifest]) -> Iterator[str]:
    for document in documents:
        if document["kind"] in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding", "Secret"):
            yield f"there is a {document['kind']}"
        if document["kind"] != "Namespace" and document["metadata"].get("namespace") != NAME:
            yield f"a {document['kind']} is in another namespace"
    for account in of_kind(documents, "ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield "the account's token is mounted"
    for space in of_kind(documents, "Namespace"):
        if space["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield "the namespace takes pods that are not restricted"


def _networks(policies: list[Manifest]) -> Iterator[str]:
    shut = [p["spec"] for p in policies if p["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}]
    if not shut:
        yield "nothing closes the network"
    for spec in (p["spec"] for p in policies):
        for rule, peers in (("ingress", "from"), ("egress", "to")):
            for each in spec.get(rule, []):
                for peer in each.get(peers) or [{}]:
                    if not peer.get("podSelector", {}).get("matchLabels") or "ipBlock" in peer:
                        yield f"{rule} {peers} whatever is there: {peer}"
                elsewhere = [peer for peer in each.get(peers, []) if "namespaceSelector" in peer]
                open_ports = {(port["port"], port.get("endPort")) for port in each.get("ports", [])}
                runner = all(peer.get("podSelector", {}).get("matchLabels") == RUNNER for peer in elsewhere)
                allowed = {(member.PORTS.start, member.PORTS.stop - 1)} if runner else {(53, None)}
                if rule == "egress" and elsewhere and open_ports != allowed:
                    yield "egress to another namespace than for names, or to the runner than for Ray"


def _pod(spec: Manifest) -> Iterator[str]:
    if spec.get("serviceAccountName") != NAME or spec.get("automountServiceAccountToken") is not False:
        yield "the pod has an account's token"
    if spec.get("enableServiceLinks") is not False:
        yield "the pod is told of services"
    for name in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
        if spec.get(name):
            yield f"the pod has {name}"
    whole = spec.get("securityContext", {})
    if not (whole.get("runAsNonRoot") and whole.get("runAsUser") and whole.get("seccompProfile")):
        yield "the pod may run as root, or without a filter of system calls"
    for volume in spec["volumes"]:
        if not volume.keys() <= {"name", "emptyDir", "persistentVolumeClaim"}:
            yield f"volume {volume['name']} is of another kind"
        if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
            yield f"volume {volume['name']} has no limit"
    claims = {volume["name"] for volume in spec["volumes"] if "persistentVolumeClaim" in volume}
    for container in (*spec["containers"], *spec.get("initContainers", [])):
        yield from _container(container, claims)


WRITTEN = "checkpoints"
READ = tuple(f"runs/$(HALLMARK_RUN)/artefacts/{stage}" for stage in ("base_model", "tokenise"))


def _container(container: Manifest, claims: set[str]) -> Iterator[str]:
    own = container.get("securityContext", {})
    if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
        yield "a container may gain privileges"
    if own.get("capabilities") != {"drop": ["ALL"]} or own.get("readOnlyRootFilesystem") is not True:
        yield "a container has capabilities, or writes to its root"
    if "@sha256:" not in container["image"]:
        yield "the image is not named by its digest"
    if not {"cpu", "memory", "ephemeral-storage"} <= container.get("resources", {}).get("limits", {}).keys():
        yield "a container has no limits"
    if container.get("envFrom") or any("valueFrom" in variable for variable in container.get("env", [])):
        yield "a variable comes from elsewhere"
    for mount in (each for each in container["volumeMounts"] if each["name"] in claims):
        place = mount.get("subPath") or mount.get("subPathExpr")
        if place != WRITTEN and not (place in READ and mount.get("readOnly")):
            yield f"{mount['mountPath']} shows more of the state than a worker needs"


def test_no_door_is_open() -> None:
    assert list(open_doors(manifests())) == []


Change = Callable[[list[Manifest]], object]


def spec(documents: list[Manifest]) -> Manifest:
    """Of the pods, which share one."""
    found: Manifest = next(pods(documents))["spec"]
    return found


def policy(documents: list[Manifest]) -> Manifest:
    found: Manifest = of_kind(documents, "NetworkPolicy")[1]["spec"]
    return found


OPENED: dict[str, Change] = {
    "a token": lambda d: spec(d).pop("automountServiceAccountToken"),
    "the default account": lambda d: spec(d).pop("serviceAccountName"),
    "a secret": lambda d: spec(d)["volumes"].append({"name": "keys", "secret": {"secretName": "gate"}}),
    "a folder of the node": lambda d: spec(d)["volumes"].append({"name": "node", "hostPath": {"path": "/"}}),
    "all of the state": lambda d: spec(d)["containers"][0]["volumeMounts"].append(
        {"name": "state", "mountPath": "/srv/hallmark/.hallmark"}
    ),
    "the keys": lambda d: spec(d)["containers"][0]["volumeMounts"].append(
        {"name": "state", "mountPath": "/keys", "subPath": "keys", "readOnly": True}
    ),
    "other runs": lambda d: spec(d)["containers"][0]["volumeMounts"].append(
        {"name": "state", "mountPath": "/runs", "subPath": "runs", "readOnly": True}
    ),
    "a model that is written": lambda d: spec(d)["containers"][0]["volumeMounts"][2].pop("readOnly"),
    "a variable of a secret": lambda d: spec(d)["containers"][0]["env"].append(
        {"name": "K", "valueFrom": {"secretKeyRef": {"name": "gate", "key": "key"}}}
    ),
    "the node's network": lambda d: spec(d).update(hostNetwork=True),
    "root": lambda d: spec(d)["securityContext"].pop("runAsNonRoot"),
    "a privileged container": lambda d: spec(d)["containers"][0]["securityContext"].update(privileged=True),
    "capabilities": lambda d: spec(d)["containers"][0]["securityContext"].pop("capabilities"),
    "no filter of system calls": lambda d: spec(d)["securityContext"].pop("seccompProfile"),
    "no limits": lambda d: spec(d)["containers"][0].pop("resources"),
    "an image by its tag": lambda d: spec(d)["containers"][0].update(image="hallmark:latest"),
    "the internet": lambda d: policy(d)["egress"].append({"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}),
    "everything": lambda d: policy(d)["egress"].append({}),
    "everybody": lambda d: policy(d)["ingress"].append({"from": [{"namespaceSelector": {}}]}),
    "a database elsewhere": lambda d: policy(d)["egress"][2]["ports"].append({"protocol": "TCP", "port": 5432}),
    "the runner's ledger": lambda d: policy(d)["egress"][1]["ports"].append({"protocol": "TCP", "port": 5432}),
    "no policy that closes": lambda d: d.remove(of_kind(d, "NetworkPolicy")[0]),
    "a role": lambda d: d.append({"kind": "RoleBinding", "metadata": {"name": "r", "namespace": NAME}}),
    "Ray without a token": lambda d: of_kind(d, "RayCluster")[0]["spec"].pop("authOptions"),
    "Ray's dashboard": lambda d: of_kind(d, "RayCluster")[0]["spec"]["headGroupSpec"]["rayStartParams"].clear(),
    "pods that are not restricted": lambda d: of_kind(d, "Namespace")[0]["metadata"].pop("labels"),
}


@pytest.mark.parametrize("what", OPENED)
def test_a_door_that_is_opened_shows(what: str) -> None:
    documents = copy.deepcopy(manifests())
    OPENED[what](documents)
    assert list(open_doors(documents))
