"""What pods may do on Kubernetes, as the chart says it with each set of values. No cluster was at hand."""

import json
import lzma
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from infra.processes import HALLMARK_PROCESS
from tasks.stages.train.machines import notice
from tests.chart import CLUSTERS, SETS, WHERE, Change, Manifest, Pod, manifests, of_kind, pods, spec_of, training_policy
from tests.helm import NAMESPACE
from tests.tiny_project import ROOT

SHARED = Path(os.environ.get("HALLMARK_SHARED", ROOT.parent / "shared"))
KUBERAY = SHARED / "schemas" / "kuberay" / "ray.io_rayclusters.yaml.xz"
TRAINING = "hallmark-training"
RUN = "20261127-141122-627bc5c0"
OPERATORS = ("ray.io/v1", "monitoring.coreos.com/v1")
"""API versions of kinds that Kubernetes itself does not know."""
KEYS = {
    "watch": {"gate", "ledger", "model-signing", "scheduler"},
    "runner": {"gate", "ledger", "model-signing", "vault", "worker"},
}
"""Private keys of machines that each part signs with, and no other part has."""
SECRETS = {
    "prefect": {"hallmark-prefect"},
    "mlflow": {"hallmark-mlflow"},
    "watch": {"hallmark-run"},
    "console": {"hallmark-console", "hallmark-console-proxy", "hallmark-metrics"},
    "worker": {"hallmark-run"},
    "runner": {"hallmark-run"},
    "head": set(),
    "training": {"hallmark-training-storage"},
}
"""The secrets that each part may have."""
TOKENS = {"worker": "worker", "head": "autoscaler"}
"""The one container of a part that has its account's token."""
ACCOUNTS = {"worker": "hallmark-worker", "head": "hallmark-training-head", "training": TRAINING}
"""Of the others it is `hallmark`."""


@pytest.mark.parametrize("which", SETS)
def test_kubernetes_knows_every_field(which: str) -> None:
    documents = [document for document in manifests(which) if document["apiVersion"] not in OPERATORS]
    alone = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"} | pod.template["metadata"],
              "spec": pod.spec} for pod in pods(manifests(which))]  # fmt: skip
    for document in (*documents, *alone):
        known(json.dumps(document, sort_keys=True))


@cache
def known(document: str) -> None:
    """Compare a document with the schema of its kind; most are the same whatever the values, and compared once."""
    kubernetes_validate.validate(json.loads(document), kubernetes_validate.latest_version(), strict=True)


@cache
def kuberay() -> jsonschema.Draft202012Validator:
    definition = yaml.load(lzma.decompress(KUBERAY.read_bytes()), Loader=yaml.CSafeLoader)
    schema = next(v["schema"]["openAPIV3Schema"] for v in definition["spec"]["versions"] if v["name"] == "v1")
    return jsonschema.Draft202012Validator(closed(schema))


@pytest.mark.skipif(not KUBERAY.exists(), reason="HALLMARK_SHARED/schemas/kuberay is not there")
@pytest.mark.parametrize("which", CLUSTERS)
def test_kuberay_knows_every_field(which: str) -> None:
    (cluster,) = of_kind(manifests(which), "RayCluster")
    kuberay().validate(cluster)


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
        yield from (f"{pod.part}: {said}" for said in _pod(pod))
    for cluster in of_kind(documents, "RayCluster"):
        if cluster["spec"].get("authOptions", {}).get("mode") != "token":
            yield "Ray asks for no token"
        if cluster["spec"]["headGroupSpec"]["rayStartParams"].get("include-dashboard") != "false":
            yield "Ray's dashboard is on"


ROLE = [
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "list", "watch", "create", "delete"]},
    {"apiGroups": [""], "resources": ["pods", "pods/log", "pods/status", "events"], "verbs": ["get", "list", "watch"]},
]
"""All that the worker may do, in its namespace."""


def _accounts(documents: list[Manifest]) -> Iterator[str]:
    for document in documents:
        kind, named = document["kind"], document["metadata"].get("name")
        if kind in ("ClusterRole", "ClusterRoleBinding", "Secret"):
            yield f"there is a {kind}"
        if kind in ("Role", "RoleBinding") and named != "hallmark-worker":
            yield f"there is a {kind} {named}"
        if kind == "RoleBinding" and [subject["name"] for subject in document["subjects"]] != ["hallmark-worker"]:
            yield "another than the worker is bound to its role"
        if kind != "Namespace" and document["metadata"].get("namespace") not in (NAMESPACE, TRAINING):
            yield f"a {kind} is in another namespace"
    if any(role["rules"] != ROLE for role in of_kind(documents, "Role")):
        yield "the worker may do more"
    for account in of_kind(documents, "ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield "the account's token is mounted"
    for space in of_kind(documents, "Namespace"):
        if space["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield "the namespace takes pods that are not restricted"


def _networks(policies: list[Manifest]) -> Iterator[str]:
    nothing = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    everywhere = {policy["metadata"]["namespace"] for policy in policies}
    if {p["metadata"]["namespace"] for p in policies if p["spec"] == nothing} != everywhere:
        yield "nothing closes the network"
    for spec in (p["spec"] for p in policies):
        for rule, peers in (("ingress", "from"), ("egress", "to")):
            for each in spec.get(rule) or []:
                for peer in each.get(peers) or [{}]:
                    if not (peer.get("podSelector", {}).get("matchLabels") or peer.get("ipBlock", {}).get("cidr")):
                        yield f"{rule} {peers} whatever is there: {peer}"


def _pod(pod: Pod) -> Iterator[str]:
    spec = pod.spec
    if spec.get("serviceAccountName") != ACCOUNTS.get(pod.part, "hallmark"):
        yield "the pod has another account"
    if spec.get("automountServiceAccountToken") is not False:
        yield "the pod has its account's token"
    if spec.get("enableServiceLinks") is not False:
        yield "the pod is told of services"
    for name in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
        if spec.get(name):
            yield f"the pod has {name}"
    whole = spec.get("securityContext", {})
    if not (whole.get("runAsNonRoot") and whole.get("runAsUser") and whole.get("seccompProfile")):
        yield "the pod may run as root, or without a filter of system calls"
    for volume in spec["volumes"]:
        yield from _volume(pod, volume)
    claims = {volume["name"] for volume in spec["volumes"] if "persistentVolumeClaim" in volume}
    for container in pod.containers:
        yield from (f"{container['name']}: {said}" for said in _container(pod, container, claims))


def _volume(pod: Pod, volume: Manifest) -> Iterator[str]:
    if "secret" in volume and volume["secret"]["secretName"] not in SECRETS[pod.part]:
        yield f"volume {volume['name']} is another's secret"
    sources = volume.get("projected", {}).get("sources", [])
    if any("secret" not in source for source in sources) and pod.part not in TOKENS:
        yield "the pod has its account's token"
    for source in (source["secret"] for source in sources if "secret" in source):
        names = {item["path"] for item in source["items"]}
        if not names <= KEYS.get(pod.part, set()) or source["name"] not in {f"hallmark-key-{name}" for name in names}:
            yield f"volume {volume['name']} has a key that the pod does not sign with"
    if not volume.keys() <= {"name", "configMap", "emptyDir", "persistentVolumeClaim", "secret", "projected"}:
        yield f"volume {volume['name']} is of another kind"
    if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
        yield f"volume {volume['name']} has no limit"


WRITTEN = "checkpoints"
READ = tuple(f"runs/$(HALLMARK_RUN)/artefacts/{stage}" for stage in ("base_model", "tokenise"))


def _container(pod: Pod, container: Manifest, claims: set[str]) -> Iterator[str]:
    own = container.get("securityContext", {})
    if own.get("allowPrivilegeEscalation") is not False or own.get("privileged"):
        yield "it may gain privileges"
    if own.get("capabilities") != {"drop": ["ALL"]} or own.get("readOnlyRootFilesystem") is not True:
        yield "it has capabilities, or writes to its root"
    if "@sha256:" not in container["image"]:
        yield "the image is not named by its digest"
    for kind in ("limits", "requests"):
        if not {"cpu", "memory", "ephemeral-storage"} <= container.get("resources", {}).get(kind, {}).keys():
            yield f"it has no {kind}"
    refers = [each["secretRef"]["name"] for each in container.get("envFrom", [])]
    refers += [each["valueFrom"]["secretKeyRef"]["name"] for each in container.get("env", []) if "valueFrom" in each]
    if not set(refers) <= SECRETS[pod.part]:
        yield "a variable comes from another's secret"
    for mount in container["volumeMounts"]:
        if mount["name"] == "kubernetes-token" and TOKENS.get(pod.part) != container["name"]:
            yield "it has the account's token"
        place = (mount.get("subPath") or mount.get("subPathExpr") or "").removeprefix("state/")
        of_state = pod.part in ("head", "training") and mount["name"] in claims
        if of_state and place != WRITTEN and not (place in READ and mount.get("readOnly")):
            yield f"{mount['mountPath']} shows more of the state than a worker needs"


@pytest.mark.parametrize("which", SETS)
def test_no_door_is_open(which: str) -> None:
    assert list(open_doors(manifests(which))) == []


@pytest.mark.parametrize("which", SETS)
def test_no_value_of_a_secret_is_rendered(which: str) -> None:
    for pod in pods(manifests(which)):
        for variable in (each for container in pod.containers for each in container.get("env", [])):
            secret = re.search(r"TOKEN|PASSWORD|SECRET|_KEY|AUTH_STRING|CONNECTION_URL|STORE_URI", variable["name"])
            assert not (secret and "value" in variable and not variable["value"].startswith("sqlite")), variable


def test_a_machine_has_its_notice_before_it_goes() -> None:
    (cluster,) = of_kind(manifests("spot"), "RayCluster")
    for group, seconds in zip(cluster["spec"]["workerGroupSpecs"], (120, 25), strict=True):
        spec = group["template"]["spec"]
        told = spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
        assert told == ["python", "-I", *HALLMARK_PROCESS, notice.__name__, str(seconds)]
        assert spec["terminationGracePeriodSeconds"] == seconds
    head = cluster["spec"]["headGroupSpec"]["template"]["spec"]
    assert "lifecycle" not in head["containers"][0]


def test_gpus_machines_and_queue_are_as_values_say() -> None:
    (cluster,) = of_kind(manifests("gpu"), "RayCluster")
    (group,) = cluster["spec"]["workerGroupSpecs"]
    spec = group["template"]["spec"]
    assert (group["minReplicas"], group["maxReplicas"]) == (0, 4) and cluster["spec"]["enableInTreeAutoscaling"]
    assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert spec["nodeSelector"] and spec["tolerations"] and "hallmark-gpu@" in spec["containers"][0]["image"]
    (queued,) = of_kind(manifests("kueue"), "RayCluster")
    labels = queued["metadata"]["labels"]
    assert (labels["kueue.x-k8s.io/queue-name"], labels["kueue.x-k8s.io/priority-class"]) == ("trainings", "nightly")
    assert "annotations" not in queued["metadata"]  # only a cluster that changes its size is elastic
    (both,) = of_kind(manifests("all"), "RayCluster")
    assert both["metadata"]["annotations"] == {"kueue.x-k8s.io/elastic-job": "true"}


def test_a_shared_disk_shows_one_run() -> None:
    for pod in pods(manifests("shared-disk")):
        mounts = [mount for container in pod.containers for mount in container["volumeMounts"]]
        if pod.part == "training":
            assert {"name": "HALLMARK_RUN", "value": RUN} in pod.containers[0]["env"]
            shown = {m["mountPath"] for m in mounts if m["name"] == "state"}
            read = {f"/srv/hallmark/.hallmark/runs/{RUN}/artefacts/{each}" for each in ("base_model", "tokenise")}
            assert shown == {*read, "/srv/hallmark/.hallmark/checkpoints"} and "envFrom" not in pod.containers[0]
        if pod.part == "head":
            assert not [mount for mount in mounts if mount["name"] == "state"]


def add_mount(documents: list[Manifest], **mount: object) -> None:
    spec_of(documents)["containers"][0]["volumeMounts"].append({"name": "state", **mount})


OPENED: dict[str, Change] = {
    "a token": lambda d: spec_of(d).pop("automountServiceAccountToken"),
    "the default account": lambda d: spec_of(d).pop("serviceAccountName"),
    "a secret": lambda d: spec_of(d)["volumes"].append({"name": "keys", "secret": {"secretName": "gate"}}),
    "a token by hand": lambda d: spec_of(d, "watch")["volumes"].append(
        {"name": "kubernetes-token", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}
    ),
    "the autoscaler's token": lambda d: spec_of(d, "head")["containers"][0]["volumeMounts"].append(
        {"name": "kubernetes-token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
    ),
    "a folder of the node": lambda d: spec_of(d)["volumes"].append({"name": "node", "hostPath": {"path": "/"}}),
    "a volume without a limit": lambda d: spec_of(d)["volumes"].append({"name": "more", "emptyDir": {}}),
    "all of the state": lambda d: add_mount(d, mountPath="/srv/hallmark/.hallmark"),
    "the keys": lambda d: add_mount(d, mountPath="/keys", subPath="keys", readOnly=True),
    "other runs": lambda d: add_mount(d, mountPath="/runs", subPath="runs", readOnly=True),
    "a model that is written": lambda d: spec_of(d)["containers"][0]["volumeMounts"][2].pop("readOnly"),
    "a variable of a secret": lambda d: spec_of(d)["containers"][0]["env"].append(
        {"name": "K", "valueFrom": {"secretKeyRef": {"name": "gate", "key": "key"}}}
    ),
    "the runner's secret": lambda d: spec_of(d)["containers"][0].update(
        envFrom=[{"secretRef": {"name": "hallmark-run"}}]
    ),
    "the node's network": lambda d: spec_of(d).update(hostNetwork=True),
    "root": lambda d: spec_of(d, "prefect")["securityContext"].pop("runAsNonRoot"),
    "a privileged container": lambda d: spec_of(d)["containers"][0]["securityContext"].update(privileged=True),
    "capabilities": lambda d: spec_of(d, "runner")["containers"][0]["securityContext"].pop("capabilities"),
    "a root that is written": lambda d: spec_of(d, "runner")["initContainers"][0]["securityContext"].pop(
        "readOnlyRootFilesystem"
    ),
    "no filter of system calls": lambda d: spec_of(d)["securityContext"].pop("seccompProfile"),
    "no limits": lambda d: spec_of(d, "mlflow")["containers"][0].pop("resources"),
    "an image by its tag": lambda d: spec_of(d)["containers"][0].update(image="hallmark:latest"),
    "an open autoscaler": lambda d: of_kind(d, "RayCluster")[0]["spec"]["autoscalerOptions"].pop("securityContext"),
    "everything": lambda d: training_policy(d)["egress"].append({}),
    "everybody": lambda d: training_policy(d)["ingress"].append({"from": [{"namespaceSelector": {}}]}),
    "no policy that closes": lambda d: d.remove(of_kind(d, "NetworkPolicy")[0]),
    "a role": lambda d: d.append(
        {
            "kind": "RoleBinding",
            "metadata": {"name": "r", "namespace": NAMESPACE},
            "subjects": [{"name": "hallmark-worker"}],
        }
    ),
    "a wider role": lambda d: of_kind(d, "Role")[0]["rules"][0]["resources"].append("secrets"),
    "another in the role": lambda d: of_kind(d, "RoleBinding")[0]["subjects"][0].update(name="hallmark"),
    "Ray without a token": lambda d: of_kind(d, "RayCluster")[0]["spec"].pop("authOptions"),
    "Ray's dashboard": lambda d: of_kind(d, "RayCluster")[0]["spec"]["headGroupSpec"]["rayStartParams"].clear(),
    "pods that are not restricted": lambda d: of_kind(d, "Namespace")[0]["metadata"].pop("labels"),
}


@pytest.mark.parametrize("what", OPENED)
def test_a_door_that_is_opened_shows(what: str) -> None:
    documents = manifests(WHERE)
    OPENED[what](documents)
    assert list(open_doors(documents))
