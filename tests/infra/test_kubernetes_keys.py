"""Keys of machines in pods: each where its machine signs, and none in the console. Containers are started."""

import re
from pathlib import Path

import pytest

from tasks.policy.people import MACHINES
from tasks.sources import vault_keys
from tasks.trust import keys, model_key
from tests.chart import SETS, Manifest, Pod, manifests, pods
from tests.chart_pod import execute, needs_bubblewrap
from tests.infra.test_kubernetes import KEYS
from tests.tiny_project import ROOT

FOLDER = "/srv/hallmark/.hallmark/keys"


def pod_of(which: str, part: str) -> Pod:
    return next(pod for pod in pods(manifests(which)) if pod.part == part)


def secrets_of(pod: Pod) -> dict[str, set[str]]:
    """Return the files of each secret with a private key that a pod mounts."""
    sources = [each for v in pod.spec["volumes"] for each in v.get("projected", {}).get("sources", [])]
    return {
        each["secret"]["name"]: {item["path"] for item in each["secret"]["items"]}
        for each in sources
        if "secret" in each
    }


def test_each_key_is_mounted_where_its_machine_signs() -> None:
    every = {*MACHINES, model_key.FILE_NAME, vault_keys.KEY_FILE.name}
    assert set().union(*KEYS.values()) == every, "each key of `.hallmark/keys` that a machine uses has a place"
    for pod in pods(manifests("production")):
        assert secrets_of(pod) == {f"hallmark-key-{name}": {name} for name in KEYS.get(pod.part, set())}, pod.part


def test_the_guide_says_where_each_key_is() -> None:
    guide = (ROOT / "docs" / "guides" / "kubernetes.md").read_text()
    rows = re.findall(r"^\| `([\w-]+)` \| (yes|no) \| (yes|no) \| (yes|no) \|$", guide, re.M)
    for place, part in enumerate(("watch", "runner", "console"), start=1):
        assert {row[0] for row in rows if row[place] == "yes"} == KEYS.get(part, set())


def test_the_container_that_signs_sees_keys_of_its_own_alone() -> None:
    for part in KEYS:
        (container,) = pod_of("production", part).spec["containers"]
        mounts: dict[str, Manifest] = {mount["name"]: mount for mount in container["volumeMounts"]}
        assert mounts["keys"] == {"name": "keys", "mountPath": FOLDER, "readOnly": True}, "the claim's are hidden"
        assert "private-keys" not in mounts


@pytest.mark.parametrize("which", SETS)
def test_the_console_shows_no_key_of_the_claim(which: str) -> None:
    pod = pod_of(which, "console")
    assert secrets_of(pod) == {}
    for container in pod.spec["containers"]:
        mounted = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        if "state" in mounted.values():
            assert mounted[FOLDER] == "keys"


@needs_bubblewrap
def test_the_console_has_public_halves_alone(tmp_path: Path) -> None:
    (image := tmp_path / "image" / ".hallmark").mkdir(parents=True)
    claim = tmp_path / "volumes" / "state" / "keys"
    claim.mkdir(parents=True)
    for name in ("gate", "ledger"):
        keys.create_key_pair(claim, name)
    first = next(each for each in pod_of("nothing", "console").spec["initContainers"] if each["name"] == "keys")
    execute(first, image.parent, tmp_path / "volumes")
    assert {path.name for path in (tmp_path / "volumes" / "keys").iterdir()} == {"gate.pub", "ledger.pub"}


@needs_bubblewrap
def test_a_machine_signs_with_a_key_out_of_a_secret(tmp_path: Path) -> None:
    """Kubernetes gives files of a secret to root, and lets the pod's group read them."""
    (image := tmp_path / "image" / ".hallmark").mkdir(parents=True)
    (secret := tmp_path / "volumes" / "private-keys").mkdir(parents=True)
    line = keys.create_key_pair(tmp_path, "gate")
    (secret / "..data").mkdir()
    (tmp_path / "gate").rename(secret / "..data" / "gate")
    (secret / "..data" / "gate").chmod(0o440)
    (secret / "gate").symlink_to("..data/gate")
    first = next(each for each in pod_of("production", "watch").spec["initContainers"] if each["name"] == "keys")
    execute(first, image.parent, tmp_path / "volumes")
    (file,) = (tmp_path / "volumes" / "keys").iterdir()
    assert keys.make_public_line(keys.load_private_key(file), "gate") == line and file.name == "gate"
