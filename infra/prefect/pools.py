"""Work pools of deployments.yaml on the Prefect server, each with its deployment.

Prefect decides which run is next and whether it may start, but not what is executed. Workers execute the flow that is
installed with them. They take no command, code or settings from a pool, a deployment or a flow run (worker.py).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import deployment_names
from infra.processes import HALLMARK_PROCESS
from tasks.core.documents import yaml_text
from tasks.core.errors import InputError
from tasks.ledger.ledger import Ledger
from tasks.scheduling.pools import Pool

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

JOB_FILE = Path(__file__).parents[1] / "kubernetes" / "hallmark" / "files" / "run.yaml"
WORKER_TYPES = {"process": "process", "kubernetes": "kubernetes"}
NO_VARIABLES = {"type": "object", "properties": {}}
CHART_ANNOTATION = "hallmark/job-from"
"""Annotation of a job whose template comes from the Helm chart."""
FLOW_RUN_COMMAND = ["python", "-I", *HALLMARK_PROCESS, "infra.prefect.execute"]


def synchronise_pools(client: "SyncPrefectClient", ledger: Ledger, pools: Mapping[str, Pool]) -> list[str]:
    """Create or update the declared work pools on the server. Return the changes in words; empty if there are none.

    A pool that is no longer declared is paused and not deleted, so that runs waiting in it are not lost.

    Raises:
        InputError: A pool has an image, but the Helm chart's worker supplies its job template. Nothing is changed then.
    """
    for name, pool in pools.items():
        _check_image(client, deployment_names.work_pool_name(ledger, name), name, pool)
    done = [line for name, pool in pools.items() for line in _synchronise_pool(client, ledger, name, pool)]
    prefix = deployment_names.work_pool_name(ledger, "")
    for existing in client.read_work_pools(limit=200):
        name = existing.name.removeprefix(prefix)
        if existing.name.startswith(prefix) and name not in pools and not existing.is_paused:
            _update(client, existing.name, is_paused=True)
            done.append(f"pool {name} is paused in Prefect: it is not declared any more")
    return done


def _check_image(client: "SyncPrefectClient", called: str, name: str, pool: Pool) -> None:
    """Verify that a pool with an image does not replace the job template of the Helm chart."""
    from prefect.exceptions import ObjectNotFound

    if pool.image is None:
        return
    try:
        existing = client.read_work_pool(called).base_job_template
    except ObjectNotFound:
        return
    if _is_from_chart(existing):
        raise InputError(
            f"pools.{name}.image: expected none, since the Helm chart gives this pool its job, with the chart's image "
            "(runs.fromChart); remove `image` here, or declare it in a pool of another name for a chart without "
            "runs.fromChart"
        )


def _is_from_chart(template: Mapping[str, Any]) -> bool:
    metadata = template.get("job_configuration", {}).get("job_manifest", {}).get("metadata", {})
    return bool(metadata.get("annotations", {}).get(CHART_ANNOTATION))


def _synchronise_pool(client: "SyncPrefectClient", ledger: Ledger, name: str, pool: Pool) -> list[str]:
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectNotFound

    called, wanted = deployment_names.work_pool_name(ledger, name), base_job_template(pool)
    done = []
    try:
        existing = client.read_work_pool(called)
    except ObjectNotFound:
        client.create_work_pool(
            WorkPoolCreate(
                name=called, type=WORKER_TYPES[pool.type], base_job_template=wanted, concurrency_limit=pool.concurrency
            )
        )
        done.append(f"pool {name} is made in Prefect: {called}")
    else:
        if existing.type != WORKER_TYPES[pool.type]:
            client.delete_work_pool(called)
            return [
                f"pool {name} was of type {existing.type} in Prefect",
                *_synchronise_pool(client, ledger, name, pool),
            ]
        if pool.is_job_from_chart:
            wanted = existing.base_job_template
        if (existing.base_job_template, existing.concurrency_limit, existing.is_paused) != (
            wanted,
            pool.concurrency,
            False,
        ):
            _update(client, called, base_job_template=wanted, concurrency_limit=pool.concurrency, is_paused=False)
            done.append(f"pool {name} is brought up to date in Prefect")
    _deploy(client, deployment_names.pool_deployment_name(ledger, name), called)
    return done


def _deploy(client: "SyncPrefectClient", name: str, pool: str) -> None:
    from prefect.utilities.callables import parameter_schema

    from flows.retrain import retrain

    client.create_deployment(
        flow_id=client.create_flow_from_name(deployment_names.FLOW_NAME),
        name=name,
        work_pool_name=pool,
        entrypoint="flows/retrain.py:retrain",  # required by Prefect, ignored by Hallmark's workers
        parameter_openapi_schema=parameter_schema(retrain).model_dump_for_openapi(),
        description="One governed run, from sources to release, on any machine of the pool.",
        tags=deployment_names.TAGS,
    )


def _update(client: "SyncPrefectClient", name: str, **changes: Any) -> None:
    from prefect.client.schemas.actions import WorkPoolUpdate

    client.update_work_pool(name, WorkPoolUpdate(**changes))


def base_job_template(pool: Pool) -> dict[str, Any]:
    """Return Prefect's base job template of a work pool.

    The template has no variables. Clients of Prefect's API can therefore not change the command, image or environment
    by setting variables of a flow run.

    If the job of a new pool comes from the Helm chart, the template contains only a command. No worker can create a job
    from it until the chart's worker has sent Prefect the full template (infra/kubernetes/hallmark/templates/_run.tpl).
    """
    if pool.type == "process" or pool.is_job_from_chart:
        return {"job_configuration": {"command": " ".join(FLOW_RUN_COMMAND)}, "variables": NO_VARIABLES}
    manifest = _substitute(yaml_text.parse_with_limits(JOB_FILE.read_text("utf-8"), str(JOB_FILE)), pool)
    configuration = {
        "namespace": pool.namespace,
        "command": " ".join(FLOW_RUN_COMMAND),
        "env": {},
        "job_manifest": manifest,
    }
    return {"job_configuration": configuration, "variables": NO_VARIABLES}


def _substitute(value: Any, pool: Pool) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _substitute(item, pool) for key, item in value.items()}
    if isinstance(value, list):
        return [_substitute(item, pool) for item in value]
    return {"IMAGE": pool.image, "NAMESPACE": pool.namespace}.get(value, value) if isinstance(value, str) else value
