"""The job that a work pool on Kubernetes makes of a flow run. No cluster was at hand to try it on."""

import copy
import json

import kubernetes_validate
import pytest
from prefect.utilities.templating import apply_values

from infra.prefect.pools import FLOW_RUN_COMMAND, base_job_template
from tasks.core.errors import InputError
from tasks.scheduling.deployments_file import load_deployments
from tasks.scheduling.pools import Pool

IMAGE = f"registry.example/hallmark@sha256:{'a' * 64}"
POOL = Pool(type="kubernetes", image=IMAGE, namespace="ml", concurrency=4)


def job() -> dict:
    return base_job_template(POOL)["job_configuration"]["job_manifest"]


def test_kubernetes_knows_every_field() -> None:
    assert job()["kind"] == "Job" and job()["metadata"]["namespace"] == "ml"
    kubernetes_validate.validate(job(), kubernetes_validate.latest_version(), strict=True)


def test_the_pod_is_bounded_and_has_no_token() -> None:
    spec = job()["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["automountServiceAccountToken"] is False and spec["securityContext"]["runAsNonRoot"] is True
    (git,) = spec["initContainers"]
    shut = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert container["securityContext"] == git["securityContext"] == shut and git["image"] == IMAGE
    assert container["resources"]["limits"].keys() == {"cpu", "memory", "ephemeral-storage"}
    assert (container["image"], container["command"]) == (IMAGE, FLOW_RUN_COMMAND)


def test_a_pool_without_image_waits_for_the_job_of_the_chart() -> None:
    """No worker makes a job of a command alone."""
    pool = Pool(type="kubernetes")
    assert pool.is_job_from_chart and not POOL.is_job_from_chart
    assert base_job_template(pool)["job_configuration"] == {"command": " ".join(FLOW_RUN_COMMAND)}


@pytest.mark.attack(rights="orchestrator", stopped="a pool's job template has no variable that a flow run could give")
def test_what_a_flow_run_gives_changes_nothing_of_the_job() -> None:
    """Fill a template as Prefect's workers do, with the values of a deployment or a flow run."""
    given = {"image": "evil", "command": "touch /evil", "job_manifest": {"kind": "Pod"}, "namespace": "kube-system"}
    wanted = base_job_template(POOL)["job_configuration"]
    assert apply_values(copy.deepcopy(wanted), given) == wanted and wanted["command"] == " ".join(FLOW_RUN_COMMAND)
    assert "{{" not in json.dumps(base_job_template(POOL)) and not base_job_template(POOL)["variables"]["properties"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pools: {a: {type: kubernetes, image: 'hallmark:latest'}}", "pools.a.image"),
        ("pools: {a: {image: 'x@sha256:%s'}}" % ("a" * 64), "for `type: kubernetes` alone"),
        ("pools: {A: {}}", "pools.A"),
        ("pools: {a: {concurrency: 0}}", "pools.a.concurrency"),
        ("schedules: {n: {every: 1h, pool: b}}\npools: {a: {}}", "n: there is no pool 'b'; there are a"),
    ],
)
def test_a_pool_that_is_declared_wrong_is_told(tmp_path, text: str, told: str) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "deployments.yaml").write_text(text)
    with pytest.raises(InputError, match=told):
        load_deployments(tmp_path / "deployments.yaml")
