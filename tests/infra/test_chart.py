"""The Helm chart as helm has it: it lints, renders, and refuses values that are wrong. No cluster was at hand."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from infra.console import server as console
from tests.chart import SETS, Pod, manifests, pods
from tests.helm import CHART, EXAMPLES, NAMESPACE, helm
from tests.tiny_project import ROOT

VALUES = sorted(EXAMPLES.glob("*.yaml"))


def values() -> dict[str, Any]:
    return dict(YAML(typ="safe").load((CHART / "values.yaml").read_text()))


@pytest.mark.parametrize("file", [None, *VALUES], ids=lambda path: path.stem if path else "its own")
def test_it_lints_with_its_own_values_and_with_those_of_each_example(file: Path | None) -> None:
    done = helm("lint", "--strict", CHART, *(["--values", file] if file else []))
    assert done.returncode == 0 and "0 chart(s) failed" in done.stdout, done.stdout + done.stderr


def test_every_example_is_rendered_and_compared_with_the_schemas() -> None:
    assert {name for names in SETS.values() for name in names} == {file.stem for file in VALUES}


WRONG = {
    "trainin.run=x": "'trainin' not allowed",
    "training.autoscal=true": "'autoscal' not allowed",
    "training.groups[0].mni=1": "'mni' not allowed",
    "image=hallmark:latest": "'/image'",
    "training.image=hallmark:latest": "'/training/image'",
    "prefect.cpu=many": "'/prefect/cpu'",
    "watch.memory=16G": "'/watch/memory'",
    "training.sharing=nfs": "'/training/sharing': value must be one of 'storage', 'claim'",
    "training.sharing=claim": "'/training/run'",
    "training.run=../../keys": "'/training/run'",
    "training.groups[0].gpus=-1": "'/training/groups/0/gpus'",
    "training.groups=": "'/training/groups'",
    "console.origin=http://a.example": "'/console/origin'",
    "console.origin=https://a.example": "give `origin` and `proxy.image` together",
    "console.proxy.port=443": "'/console/proxy/port'",
    "network.pages.ipBlock.cidr=any": "'/network/pages",
    "network.outside[0].name=x": "'/network/outside/0': missing properties 'for', 'port', 'to'",
    "training.autoscale=true": "training.autoscale: .* network.outside needs an entry `for: .head.`",
    "worker.pool=hallmark-x": "worker.pool: .* network.outside needs an entry `for: .worker.`",
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_value_is_refused_by_its_name(wrong: str) -> None:
    done = helm("template", "hallmark", CHART, "--namespace", NAMESPACE, "--set", wrong)
    assert done.returncode == 1 and re.search(WRONG[wrong], done.stderr), done.stderr


@pytest.mark.parametrize("changed", [{"min": 3}, {"max": 1}, {"replicas": 3}])
def test_a_group_that_cannot_be_is_refused(changed: dict[str, int], tmp_path: Path) -> None:
    given = values()["training"]["groups"][0] | changed
    file = tmp_path / "values.yaml"
    YAML(typ="safe").dump({"training": {"groups": [given]}}, file)
    done = helm("template", "hallmark", CHART, "--values", file)
    assert done.returncode == 1 and "training.groups: cpu: expected min <= replicas <= max" in done.stderr, done.stderr


SECTIONS, KEYS = ("prefect", "mlflow", "console", "training"), ("password", "token", "secretKey")


@pytest.fixture(scope="module")
def secrets_given() -> str:
    """Return what helm prints where every section is given every secret. It names each value that is wrong."""
    given = [word for section in SECTIONS for key in KEYS for word in ("--set", f"{section}.{key}=hunter2")]
    done = helm("template", "hallmark", CHART, *given)
    assert done.returncode == 1 and "hunter2" not in done.stdout + done.stderr
    return done.stderr


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("section", SECTIONS)
def test_a_secret_cannot_be_given_as_a_value(secrets_given: str, section: str, key: str) -> None:
    assert re.search(f"at '/{section}': additional properties .*'{key}'.* not allowed", secrets_given), secrets_given


def test_every_value_is_documented() -> None:
    """By the comment above it, or above the first of a row of its kind."""
    lines = (CHART / "values.yaml").read_text().splitlines()
    plain = {"enabled", "cpu", "memory", "disk", "nodeSelector", "tolerations"}  # said once, at the top
    for place, line in enumerate(lines):
        found = re.match(r"^( *)(\w+):", line)
        if found and found[2] not in plain and not re.match(r" {4,}", line):
            above = lines[place - 1].strip()
            assert above.startswith("#") or found[2] in ("origin", "queuePriority"), f"{line} has no comment"


def test_the_guide_names_every_section_of_values() -> None:
    guide = (ROOT / "docs" / "guides" / "kubernetes.md").read_text()
    assert not {key for key in values() if f"`{key}" not in guide}


def test_notes_say_the_next_commands() -> None:
    done = helm("install", "hallmark", CHART, "--namespace", NAMESPACE, "--dry-run=client")
    assert done.returncode == 0, done.stderr
    notes = done.stdout.partition("NOTES:")[2]
    assert "exec deploy/hallmark-watch -- hallmark init" in notes
    assert f"port-forward deploy/hallmark-console {console.DEFAULT_PORT}" in notes


def needed_by(pod: Pod) -> Iterator[str]:
    """Yield the names of secrets and claims without which a pod does not start."""
    for volume in pod.spec["volumes"]:
        yield from (
            source["secret"]["name"] for source in volume.get("projected", {}).get("sources", []) if "secret" in source
        )
        if "secret" in volume:
            yield volume["secret"]["secretName"]
        if "persistentVolumeClaim" in volume:
            yield volume["persistentVolumeClaim"]["claimName"]
    for container in pod.containers:
        yield from (each["secretRef"]["name"] for each in container.get("envFrom", []))


def test_notes_name_every_secret_and_claim_that_pods_need() -> None:
    files = [word for name in SETS["production"] for word in ("--values", EXAMPLES / f"{name}.yaml")]
    done = helm("install", "hallmark", CHART, "--namespace", NAMESPACE, "--dry-run=client", *files)
    notes = done.stdout.partition("NOTES:")[2]
    wanted = {name for pod in pods(manifests("production")) for name in needed_by(pod)}
    assert len(wanted) > 10 and not {name for name in wanted if name not in notes}


def test_ray_is_the_version_that_is_pinned() -> None:
    (pinned,) = re.findall(r"^ray==(.+)$", (ROOT / "constraints.txt").read_text(), re.M)
    assert values()["training"]["rayVersion"] == pinned
