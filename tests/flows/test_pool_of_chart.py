"""A work pool whose job the Helm chart gives, on a real Prefect server."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from prefect.exceptions import ObjectNotFound

from flows import deployment_names
from infra.prefect import pools
from tasks.core.errors import InputError
from tasks.ledger.ledger import open_ledger
from tasks.scheduling.pools import Pool
from tests.chart import pods, rendered, template_of
from tests.prefect_server import Server

pytestmark = pytest.mark.slow


def test_hallmark_deploy_leaves_the_job_of_the_chart_alone(tmp_path: Path, prefect_server: Server) -> None:
    ledger, declared = open_ledger(tmp_path), {"cluster": Pool(type="kubernetes")}
    ledger.append("test", "ledger", {})
    name, given = deployment_names.work_pool_name(ledger, "cluster"), template_of(rendered("production"))
    worker = next(pod for pod in pods(rendered("production")) if pod.part == "worker")
    (file := tmp_path / "job.json").write_text(json.dumps(given))
    with prefect_server.used(), prefect_server.client() as client:
        assert pools.synchronise_pools(client, ledger, declared) == [f"pool cluster is made in Prefect: {name}"]
        words = [str(word) for word in worker.spec["initContainers"][0]["command"]]
        words[words.index("hallmark-5d2e77a1-cluster")], words[-1] = name, str(file)
        environment = os.environ | {"PREFECT_HOME": str(tmp_path / "prefect")}
        done = subprocess.run([sys.executable, *words[1:]], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert client.read_work_pool(name).base_job_template == given
        assert pools.synchronise_pools(client, ledger, declared) == []
        limited = {"cluster": Pool(type="kubernetes", concurrency=4)}
        assert pools.synchronise_pools(client, ledger, limited) == ["pool cluster is brought up to date in Prefect"]
        found = client.read_work_pool(name)
        assert (found.base_job_template, found.concurrency_limit) == (given, 4)
        image = f"registry.example/hallmark@sha256:{'a' * 64}"
        contradiction = {"new": Pool(), "cluster": Pool(type="kubernetes", image=image)}
        with pytest.raises(InputError, match=r"pools\.cluster\.image: expected none, .* remove `image` here"):
            pools.synchronise_pools(client, ledger, contradiction)
        assert client.read_work_pool(name).base_job_template == given, "the chart's job is still there"
        with pytest.raises(ObjectNotFound):  # no other pool is made
            client.read_work_pool(deployment_names.work_pool_name(ledger, "new"))
