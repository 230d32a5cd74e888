"""Objects of a release: names, ingresses, disruption budgets, metrics and probes. No cluster was at hand."""

import json
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from infra.console import server as console
from infra.console.actions import ACTIONS
from infra.metrics import exposition
from infra.processes import HALLMARK_PROCESS
from tests.chart import SETS, Manifest, leaves, manifests, of_kind, pods, rendered
from tests.chart_pod import execute, needs_bubblewrap
from tests.helm import CHART, EXAMPLES, NAMESPACE, helm, render


@pytest.fixture(scope="module")
def other() -> list[Manifest]:
    """Manifests of a second release in the same namespace, with everything that there is."""
    return render(*(EXAMPLES / f"{name}.yaml" for name in SETS["all"]), release="other")


def identity(document: Manifest) -> tuple[str, str, str]:
    return document["kind"], document["metadata"].get("namespace", ""), document["metadata"]["name"]


def names_in(value: Any) -> Iterator[str]:
    """Yield every text in a document that begins with `hallmark`, also in the job within a text."""
    for each in leaves(value):
        if isinstance(each, str) and each.startswith("{"):
            yield from names_in(json.loads(each))
        elif isinstance(each, str) and each.startswith("hallmark"):
            yield each


def test_two_releases_fit_into_one_namespace(other: list[Manifest]) -> None:
    first = rendered("all")
    assert {identity(each) for each in first} & {identity(each) for each in other} == set()
    labels = [pod.template["metadata"]["labels"].items() for pod in pods(first)]
    for document in other:
        for key in ("selector", "podSelector"):
            chosen = document["spec"].get(key, {}) if "spec" in document else {}
            wanted = (chosen.get("matchLabels") or ({} if "matchLabels" in chosen or not chosen else chosen)).items()
            assert not any(wanted and wanted <= each for each in labels), "it selects pods of the first release"


def test_no_name_of_a_release_is_written_into_the_chart(other: list[Manifest]) -> None:
    given = {"hallmark", "hallmark.process", "hallmark-5d2e77a1-cluster", "hallmark-tls", "hallmark-training"}
    given |= {"hallmark-training-storage", "hallmark.example.com"}
    found = {name for document in other for name in names_in(document) if not name.startswith("hallmark-key-")}
    assert found <= given, "the command, parts of values, and secrets of the namespace of trainings alone"


def test_selectors_are_those_of_earlier_charts() -> None:
    """Kubernetes refuses an upgrade that changes the selector of a deployment."""
    for document in of_kind(rendered("all"), "Deployment"):
        wanted = {"app.kubernetes.io/name": document["metadata"]["name"]}
        assert document["spec"]["selector"] == {"matchLabels": wanted}


def test_another_name_than_the_releases_can_be_given() -> None:
    done = helm("template", "prod", CHART, "--namespace", NAMESPACE, "--set", "name=hallmark")
    same = helm("template", "hallmark", CHART, "--namespace", NAMESPACE)
    assert done.returncode == 0 and done.stdout == same.stdout


def test_pages_have_an_ingress_under_their_name() -> None:
    found = {}
    for ingress in of_kind(rendered("production"), "Ingress"):
        (rule,) = ingress["spec"]["rules"]
        service = rule["http"]["paths"][0]["backend"]["service"]
        assert ingress["spec"]["tls"][0]["hosts"] == [rule["host"]] and ingress["spec"]["ingressClassName"] == "nginx"
        (target,) = [s for s in of_kind(rendered("production"), "Service") if s["metadata"]["name"] == service["name"]]
        assert service["port"]["name"] in {port["name"] for port in target["spec"]["ports"]}
        found[service["name"]] = (rule["host"], ingress["spec"]["tls"][0]["secretName"])
    assert found == {
        "hallmark-prefect": ("prefect.example.com", "prefect-tls"),
        "hallmark-mlflow": ("mlflow.example.com", "mlflow-tls"),
        "hallmark-console": ("hallmark.example.com", "hallmark-tls"),
    }
    assert not of_kind(rendered("gpu"), "Ingress")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("prefect.ingress.enabled=true", "prefect.ingress: expected the name of the pages (prefect.origin)"),
        ("mlflow.ingress.enabled=true", "mlflow.ingress: expected the name of the pages (mlflow.hosts)"),
        ("mlflow.ingress.enabled=true,mlflow.hosts[0]=a.example", "the controller's pods (network.pages)"),
        ("metrics.enabled=true", "metrics: Prometheus reads them through the console's proxy: expected"),
        ("keepOnDrain[0]=ray", "'/keepOnDrain/0'"),
    ],
)  # fmt: skip
def test_what_nobody_would_reach_is_refused(wrong: str, told: str) -> None:
    done = helm("template", "hallmark", CHART, "--namespace", NAMESPACE, "--set", wrong)
    assert done.returncode == 1 and told in done.stderr, done.stderr


def test_a_drain_leaves_the_parts_alone_that_values_name() -> None:
    (budget,) = of_kind(rendered("production"), "PodDisruptionBudget")
    (runner,) = [pod for pod in pods(manifests("production")) if pod.part == "runner"]
    assert budget["spec"]["selector"]["matchLabels"].items() <= runner.template["metadata"]["labels"].items()
    assert budget["spec"]["minAvailable"] > 10_000, "a job has no number of pods to which a share could apply"
    given = ",".join(f"keepOnDrain[{i}]={part}" for i, part in enumerate(("prefect", "watch", "training")))
    done = helm("template", "hallmark", CHART, "--namespace", NAMESPACE, "--set", given, "--show-only",
                "templates/disruption.yaml")  # fmt: skip
    assert done.stdout.count("maxUnavailable: 0") == 2 and 'namespace: "hallmark-training"' in done.stdout


def test_prometheus_reads_metrics_with_their_token() -> None:
    documents = rendered("production")
    (monitor,) = of_kind(documents, "ServiceMonitor")
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    (service,) = [each for each in of_kind(documents, "Service") if each["metadata"]["name"] == "hallmark-console"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint == {
        "port": "https", "path": "/metrics", "scheme": "https", "interval": "60s",
        "authorization": {"credentials": {"name": "hallmark-metrics", "key": "token"}},
        "tlsConfig": {"serverName": "hallmark.example.com"},
    }  # fmt: skip
    assert endpoint["path"] in {action.path for action in ACTIONS if action.access == "scraper"}
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}


@needs_bubblewrap
def test_the_console_asks_for_the_token_of_the_secret(tmp_path: Any) -> None:
    (image := tmp_path / "image" / ".hallmark").mkdir(parents=True)
    (secret := tmp_path / "volumes" / "metrics").mkdir(parents=True)
    (secret / "token").write_text("from the secret\n")
    (pod,) = [pod for pod in pods(manifests("production")) if pod.part == "console"]
    for first in pod.spec["initContainers"]:
        if first["name"] in ("folder", "metrics"):
            execute(first, image.parent, tmp_path / "volumes")
    shutil.move(tmp_path / "volumes" / "console", tmp_path / "console")  # where the console has it
    assert exposition.metrics_token(tmp_path) == b"from the secret"


@pytest.mark.parametrize("which", SETS)
def test_every_part_of_the_chart_is_probed(which: str) -> None:
    for document in of_kind(rendered(which), "Deployment"):
        for container in document["spec"]["template"]["spec"]["containers"]:
            assert "livenessProbe" in container, container["name"]
            assert "readinessProbe" in container or container["name"] == "worker", "nobody asks the worker"


def test_probes_ask_what_answers() -> None:
    found = {pod.part: pod.spec["containers"][0] for pod in pods(manifests("production"))}
    assert found["watch"]["livenessProbe"]["exec"]["command"][:4] == ["python", "-I", *HALLMARK_PROCESS]
    asked = found["console"]["readinessProbe"]["exec"]["command"]
    assert f"http://127.0.0.1:{console.DEFAULT_PORT}/health" in asked[2] and asked[3] == "hallmark.example.com"
    worker = found["worker"]
    port = next(each["value"] for each in worker["env"] if each["name"] == "PREFECT_WORKER_WEBSERVER_PORT")
    assert str(worker["livenessProbe"]["httpGet"]["port"]) == port and "--with-healthcheck" in worker["command"]
