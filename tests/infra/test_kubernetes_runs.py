"""The job of a flow run as the chart's values have it: size, nodes, sandbox and databases. No cluster was at hand."""

import copy
import json
import re
from typing import Any

import pytest
from prefect.utilities.templating import apply_values

from infra.console.server import console_folder
from infra.prefect.pools import CHART_ANNOTATION
from tests.chart import Manifest, manifests, pods, rendered, shipped_template, template_of
from tests.helm import CHART, NAMESPACE, helm, render
from tests.tiny_project import ROOT

GIVEN = "worker.pool=hallmark-x,network.outside[0].name=k,network.outside[0].port=6443,network.outside[0].for[0]=worker"
GIVEN += ",network.outside[0].to.ipBlock.cidr=10.0.0.1/32"


def job_of(documents: list[Manifest]) -> Manifest:
    template = template_of(documents)
    assert template
    return dict(template["job_configuration"]["job_manifest"])


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> list[Manifest]:
    """Manifests with the job from the chart, and every other value that concerns it at its default."""
    values = tmp_path_factory.mktemp("values") / "values.yaml"
    kubernetes = "{name: kubernetes, to: {ipBlock: {cidr: 10.0.0.1/32}}, port: 6443, for: [worker]}"
    values.write_text(f"worker: {{pool: p}}\nruns: {{fromChart: true}}\nnetwork: {{outside: [{kubernetes}]}}\n")
    return render(values)


def test_by_default_the_job_is_that_of_the_file(plain: list[Manifest]) -> None:
    """Everything is compared except for the size, where one value is both request and limit, and the chart's mark."""
    made, shipped = template_of(plain), copy.deepcopy(shipped_template())
    assert made
    for template in (made, shipped):
        spec = template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
        size = spec["containers"][0].pop("resources")["limits"]
        assert size == {"cpu": "4", "memory": "16Gi", "ephemeral-storage": "16Gi"}
        next(volume for volume in spec["volumes"] if volume["name"] == "tmp").pop("emptyDir")
    metadata = made["job_configuration"]["job_manifest"]["metadata"]
    assert metadata.pop("annotations") == {CHART_ANNOTATION: "chart"}
    assert made == shipped


@pytest.mark.parametrize("which", ["production", "sandbox"])
def test_what_a_flow_run_gives_changes_nothing_of_the_job(which: str) -> None:
    """Fill a template as Prefect's workers do, with the values of a deployment or a flow run."""
    template = template_of(rendered(which))
    assert template and template["variables"]["properties"] == {} and "{{" not in json.dumps(template)
    given = {"image": "evil", "command": "touch /evil", "job_manifest": {"kind": "Pod"}, "namespace": "kube-system"}
    wanted = template["job_configuration"]
    assert apply_values(copy.deepcopy(wanted), given) == wanted


def test_the_worker_gives_prefect_the_job_and_starts_anew_with_another(plain: list[Manifest]) -> None:
    worker = next(pod for pod in pods(plain) if pod.part == "worker")
    (first,) = worker.spec["initContainers"]
    told = ["prefect", "work-pool", "update", "p", "--base-job-template", "/etc/hallmark/job.json"]
    assert first["command"] == ["python", "-I", "-m", *told]
    (map_of,) = [each for each in plain if each["kind"] == "ConfigMap"]
    assert {"name": "job", "configMap": {"name": map_of["metadata"]["name"]}} in worker.spec["volumes"]
    other = next(pod for pod in pods(rendered("sandbox")) if pod.part == "worker")
    assert worker.template["metadata"]["annotations"] != other.template["metadata"]["annotations"]


def test_size_nodes_and_pull_secret_are_as_values_say() -> None:
    spec = job_of(rendered("sandbox"))["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    size = {"cpu": "8", "memory": "64Gi", "ephemeral-storage": "100Gi", "nvidia.com/gpu": 1}
    assert container["resources"] == {"limits": size, "requests": size}
    assert spec["nodeSelector"] == {"accelerator": "a100"} and spec["priorityClassName"] == "batch"
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    sizes = {volume["name"]: volume["emptyDir"] for volume in spec["volumes"] if "emptyDir" in volume}
    assert sizes["shm"] == {"medium": "Memory", "sizeLimit": "16Gi"} and sizes["tmp"] == {"sizeLimit": "100Gi"}
    assert {"name": "shm", "mountPath": "/dev/shm"} in container["volumeMounts"]


def test_every_pod_pulls_with_the_secret() -> None:
    done = helm("template", "hallmark", CHART, "--set", f"{GIVEN},runs.fromChart=true,pullSecret=registry")
    assert done.returncode == 0, done.stderr
    # Of the chart's five parts, the head and the machines of Ray, and in the job, which is JSON in a string.
    assert done.stdout.count('imagePullSecrets: [{name: "registry"}]') == 7
    assert re.search(r'imagePullSecrets\\": \[\\n *\{\\n *\\"name\\": \\"registry\\"', done.stdout)


def test_a_stage_has_its_sandbox_where_nodes_let_pods_make_namespaces() -> None:
    spec = job_of(rendered("sandbox"))["spec"]["template"]["spec"]
    whole = spec["securityContext"]
    assert spec["hostUsers"] is False and whole["runAsNonRoot"] is True
    assert whole["seccompProfile"] == {"type": "Localhost", "localhostProfile": "profiles/hallmark.json"}
    assert whole["appArmorProfile"] == {"type": "Unconfined"}
    own = spec["containers"][0]["securityContext"]
    assert own["procMount"] == "Unmasked" and own["allowPrivilegeEscalation"] is False
    for pod in pods(rendered("sandbox")):  # no other part runs stages
        assert "hostUsers" not in pod.spec and pod.spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"


def required(container: Manifest) -> set[tuple[str, str]]:
    return {
        (each["valueFrom"]["secretKeyRef"]["name"], each["name"])
        for each in container["env"]
        if "valueFrom" in each and not each["valueFrom"]["secretKeyRef"].get("optional")
    }


def test_no_pod_starts_without_the_address_of_its_database() -> None:
    """SQLite on the claim would take the place of a database that a secret does not name."""
    found = {pod.part: required(pod.spec["containers"][0]) for pod in pods(manifests("production"))}
    run = {("hallmark-run", name) for name in ("HALLMARK_LEDGER_URL", "HALLMARK_VAULT_URL", "MLFLOW_TRACKING_URI")}
    assert found["runner"] == run and found["watch"] == run | {("hallmark-run", "PREFECT_API_URL")}
    assert found["console"] == {("hallmark-console", "HALLMARK_LEDGER_URL")}
    assert found["mlflow"] == {("hallmark-mlflow", "MLFLOW_BACKEND_STORE_URI")}
    assert found["prefect"] == {("hallmark-prefect", "PREFECT_API_DATABASE_CONNECTION_URL")}


def test_on_one_node_databases_are_files_on_the_claim() -> None:
    found = {pod.part: pod.spec for pod in pods(rendered("one node"))}
    for part, folder, variable in (
        ("prefect", "/srv/prefect", "PREFECT_API_DATABASE_CONNECTION_URL"),
        ("mlflow", "/srv/mlflow", "MLFLOW_BACKEND_STORE_URI"),
    ):
        (container,) = found[part]["containers"]
        (address,) = [each["value"] for each in container["env"] if each["name"] == variable]
        assert re.fullmatch(rf"sqlite(\+aiosqlite)?:///{folder}/{part}\.db", address)
        assert {"name": "state", "mountPath": folder, "subPath": f"{part}-server"} in container["volumeMounts"]
        assert found[part]["nodeSelector"] == {"kubernetes.io/hostname": "node-1"}
    assert required(found["console"]["containers"][0]) == set()


def test_the_console_has_a_claim_for_its_own_database() -> None:
    console = next(pod for pod in pods(rendered("production")) if pod.part == "console")
    claims = {
        v["name"]: v["persistentVolumeClaim"]["claimName"] for v in console.spec["volumes"] if "claimName" in str(v)
    }
    assert claims == {"state": "hallmark-state", "console": "sessions"}
    own = {"name": "console", "mountPath": f"/srv/hallmark/.hallmark/{console_folder(ROOT).name}"}
    writing = [each for each in console.containers if each["name"] in ("console", "metrics")]
    assert len(writing) == 2 and all(own in container["volumeMounts"] for container in writing)


REFUSED: dict[str, str] = {
    **{f"databases.{name}=sqlite": rf"databases\.{name}: SQLite on a disk that several nodes share"
       for name in ("ledger", "vault", "mlflow", "prefect")},
    f"{GIVEN},state.accessMode=ReadWriteOnce,databases.vault=sqlite": "of SQLite: expected runs.fromChart: true",
    f"{GIVEN},name=x": "knows nothing of another claim than hallmark-state, another secret than hallmark-run, another",
    f"{GIVEN},runs.secret=x": "knows nothing of another secret than hallmark-run: expected runs.fromChart: true",
    f"{GIVEN},keys.gate=a,keys.ledger=b,keys.modelSigning=c,keys.worker=d": "knows nothing of keys as secrets",
    "keys.gate=x": r"keys\.ledger: expected the name of a secret, since another key of a machine is one",
    "databases.ledger=mysql": "'/databases/ledger': value must be one of 'postgres', 'sqlite'",
    "runs.sandbox.procMount=Unmasked": "'/runs/sandbox/hostUsers'",
    "runs.sandbox.seccompProfile.type=Localhost": "'/runs/sandbox/seccompProfile'",
    "runs.memory=16G": "'/runs/memory'",
    "state.accessMode=ReadOnlyMany": "'/state/accessMode'",
    f"name={'x' * 41}": "'/name'",
}  # fmt: skip


@pytest.mark.parametrize("wrong", REFUSED, ids=lambda text: str(text).removeprefix(GIVEN))
def test_values_that_contradict_each_other_are_refused(wrong: str) -> None:
    done = helm("template", "hallmark", CHART, "--namespace", NAMESPACE, "--set", wrong)
    assert done.returncode == 1 and re.search(REFUSED[wrong], done.stderr), done.stderr


def test_the_job_of_the_chart_names_the_part_of_network_policies(plain: list[Manifest]) -> None:
    job: Any = job_of(plain)
    (policy,) = [each for each in plain if each["metadata"]["name"] == "hallmark-runner" and "Policy" in each["kind"]]
    chosen = policy["spec"]["podSelector"]["matchLabels"].items()
    assert chosen <= job["spec"]["template"]["metadata"]["labels"].items()
