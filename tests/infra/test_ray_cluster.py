"""The cluster that `ray up` starts, as Ray's own validator takes it; and the image that all machines run."""

import re
import shlex
from typing import Any

import pytest
from ray.autoscaler._private.util import prepare_config, validate_config
from ruamel.yaml import YAML

from tasks.stages.cluster import cluster_membership
from tasks.stages.cluster.connection import OBJECT_STORE_BYTES
from tests.helm import CHART
from tests.tiny_project import ROOT

CLUSTER = ROOT / "infra" / "ray" / "cluster.yaml"
CONTAINER = ROOT / "infra" / "containers" / "Containerfile"


def cluster() -> dict[str, Any]:
    return dict(YAML(typ="safe").load(CLUSTER.read_text()))


def test_ray_takes_it() -> None:
    prepared = prepare_config(cluster())
    validate_config(prepared)
    assert prepared["max_workers"] == len(cluster()["provider"]["worker_ips"])


def test_ray_takes_no_key_that_there_is_not() -> None:
    with pytest.raises(Exception, match="'worker_start_commands' was unexpected"):
        validate_config(prepare_config(cluster() | {"worker_start_commands": []}))


def ray_ports() -> dict[str, str]:
    """Return the options of `ray start` that name ports, with their values."""
    ports = cluster_membership.PORT_RANGE
    single = {name: str(ports.start + place) for place, name in enumerate(cluster_membership.PORT_OPTIONS)}
    return single | {"min-worker-port": str(ports.start + len(single)), "max-worker-port": str(ports.stop - 1)}


@pytest.mark.parametrize("of", ["head", "worker"])
def test_ray_listens_where_the_guide_says_and_asks_for_a_token(of: str) -> None:
    command = cluster()[f"{of}_start_ray_commands"][-1]
    given = dict(word.removeprefix("--").partition("=")[::2] for word in shlex.split(command) if word.startswith("--"))
    assert given.items() >= (ray_ports() | {"object-store-memory": str(OBJECT_STORE_BYTES)}).items()
    assert "export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=" in command
    if of == "head":
        assert (given["num-cpus"], given["num-gpus"], given["include-dashboard"]) == ("0", "0", "false")


def test_the_image_is_pinned_and_nobody_runs_it_as_root() -> None:
    text = CONTAINER.read_text()
    assert re.findall(r"^FROM (\S+)", text, re.M) == ["${BASE}", "${BASE}"] and re.search(r"^ARG BASE$", text, re.M)
    assert "://" not in text and "--constraint /srv/hallmark/constraints.txt" in text
    (user,) = re.findall(r"^USER (\d+):(\d+)$", text, re.M)
    helpers = (CHART / "templates" / "_helpers.tpl").read_text()
    assert user == (re.findall(r"runAsUser: (\d+)", helpers)[0], re.findall(r"runAsGroup: (\d+)", helpers)[0])
    assert text.rindex("USER") > text.rindex("RUN")
