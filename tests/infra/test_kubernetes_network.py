"""Who reaches whom on Kubernetes, as network policies say it with each set of values. No cluster was at hand."""

from typing import Any

import pytest
from ray._private.ray_constants import DEFAULT_PORT
from ruamel.yaml import YAML

from infra import mlflow_server
from infra.prefect import server
from tasks.stages.cluster import cluster_membership
from tasks.stages.cluster.connection import OBJECT_STORE_BYTES
from tests.chart import CLUSTERS, SETS, WHERE, Change, Manifest, manifests, of_kind, pods, training_policy
from tests.helm import EXAMPLES
from tests.infra.test_ray_cluster import ray_ports

Ports = frozenset[tuple[Any, ...]]
RAY = (cluster_membership.PORT_RANGE.start, cluster_membership.PORT_RANGE.stop - 1)
ANY: Ports = frozenset()
TO_RAY = frozenset({(DEFAULT_PORT, None), RAY})
WITHIN: dict[tuple[str, str], Ports] = {
    **{(part, "prefect"): frozenset({(server.DEFAULT_PORT, None)}) for part in ("watch", "worker", "runner")},
    **{(part, "mlflow"): frozenset({(mlflow_server.DEFAULT_PORT, None)}) for part in ("watch", "runner")},
    ("runner", "training"): TO_RAY,
    ("training", "runner"): frozenset({RAY}),
    ("training", "training"): ANY,
}
"""Which part asks which, on what ports."""


def asked(policies: list[Manifest], rule: str, peers: str) -> dict[tuple[str, str], Ports]:
    """Which part reaches which, as policies of one direction have it."""
    found = dict[tuple[str, str], Ports]()
    for spec in (policy["spec"] for policy in policies):
        one = spec["podSelector"].get("matchLabels", {}).get("app.kubernetes.io/name", "").removeprefix("hallmark-")
        for each in spec.get(rule) or []:
            for peer in each[peers]:
                label = peer.get("podSelector", {}).get("matchLabels", {}).get("app.kubernetes.io/name", "")
                if label.startswith("hallmark-"):
                    other = label.removeprefix("hallmark-")
                    ports = frozenset((port["port"], port.get("endPort")) for port in each.get("ports", []))
                    found[(one, other) if rule == "egress" else (other, one)] = ports
    return found


@pytest.mark.parametrize("which", CLUSTERS)
def test_parts_reach_each_other_on_the_ports_that_the_code_uses(which: str) -> None:
    policies = of_kind(manifests(which), "NetworkPolicy")
    assert asked(policies, "ingress", "from") == asked(policies, "egress", "to") == WITHIN


def test_what_lies_outside_is_reached_by_the_parts_that_are_named() -> None:
    outside = YAML(typ="safe").load((EXAMPLES / "production.yaml").read_text())["network"]["outside"]
    autoscaled = of_kind(manifests("all"), "NetworkPolicy")
    for policy in autoscaled:
        part = policy["metadata"]["name"].removeprefix("hallmark-")
        ways = [(to["ipBlock"]["cidr"], each["ports"][0]["port"]) for each in policy["spec"].get("egress") or []
                for to in each["to"] if "ipBlock" in to]  # fmt: skip
        assert ways == [(o["to"]["ipBlock"]["cidr"], o["port"]) for o in outside if part in o["for"]], part
    assert {policy["metadata"]["name"] for policy in autoscaled} >= {
        f"hallmark-{part}" for o in outside for part in o["for"]
    }


def test_prometheus_reaches_the_proxy_of_the_console_alone() -> None:
    peer = YAML(typ="safe").load((EXAMPLES / "production.yaml").read_text())["metrics"]["from"]
    found = [
        (policy["metadata"]["name"], each["ports"])
        for policy in of_kind(manifests("production"), "NetworkPolicy")
        for each in policy["spec"].get("ingress") or []
        if peer in each["from"]
    ]
    assert found == [("hallmark-console", [{"protocol": "TCP", "port": 8443}])]


def test_people_reach_the_pages_alone() -> None:
    pages = YAML(typ="safe").load((EXAMPLES / "production.yaml").read_text())["network"]["pages"]
    open_to = {
        policy["metadata"]["name"].removeprefix("hallmark-"): each["ports"][0]["port"]
        for policy in of_kind(manifests("production"), "NetworkPolicy")
        for each in policy["spec"].get("ingress") or []
        if pages in each["from"]
    }
    assert open_to == {"prefect": server.DEFAULT_PORT, "mlflow": mlflow_server.DEFAULT_PORT, "console": 8443}


@pytest.mark.parametrize("which", CLUSTERS)
def test_ray_listens_on_the_ports_that_are_open(which: str) -> None:
    (cluster,) = of_kind(manifests(which), "RayCluster")
    ports = ray_ports()
    for group in (cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]):
        given = group["rayStartParams"]
        assert given.items() >= (ports | {"object-store-memory": str(OBJECT_STORE_BYTES)}).items()
        (container,) = group["template"]["spec"]["containers"]
        for probe in ("readinessProbe", "livenessProbe"):
            assert str(container[probe]["httpGet"]["port"]) == ports["dashboard-agent-listen-port"]


@pytest.mark.parametrize("which", SETS)
def test_a_service_leads_to_the_port_that_its_pod_names(which: str) -> None:
    documents = manifests(which)
    for service in of_kind(documents, "Service"):
        selector = service["spec"]["selector"].items()
        (pod,) = [pod for pod in pods(documents) if selector <= pod.template["metadata"]["labels"].items()]
        named = {port["name"] for container in pod.containers for port in container.get("ports", [])}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= named


WAYS: dict[str, Change] = {
    "a database elsewhere": lambda d: training_policy(d)["egress"][-1]["ports"].append(
        {"protocol": "TCP", "port": 5432}
    ),
    "fewer ports of the runner": lambda d: training_policy(d)["egress"][-1]["ports"][0].update(endPort=20_099),
    "the head for all": lambda d: training_policy(d)["ingress"][1].pop("ports"),
    "the console for the runner": lambda d: training_policy(d)["egress"].append(
        {"to": [{"podSelector": {"matchLabels": {"app.kubernetes.io/name": "hallmark-console"}}}]}
    ),
}


@pytest.mark.parametrize("what", WAYS)
def test_a_way_that_is_opened_shows(what: str) -> None:
    policies = of_kind(manifests(WHERE), "NetworkPolicy")
    WAYS[what](policies)
    assert not asked(policies, "ingress", "from") == asked(policies, "egress", "to") == WITHIN
