"""What a stage with a network reaches: the ports that its settings name, and no abstract socket of anybody else."""

import ctypes
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.core.errors import InputError
from tasks.stages.cluster import cluster_membership
from tasks.supervise import grants, network
from tests.boundary.stage_of import a_run
from tests.patience import patience

LANDLOCK = ctypes.CDLL(None).syscall(444, None, 0, 1) if sys.platform == "linux" else -1
"""The version of it that the kernel has: landlock_create_ruleset(2)."""
needs_landlock = pytest.mark.skipif(LANDLOCK < 6, reason="the kernel has no Landlock that knows abstract sockets")

TRIES = """
import errno, json, socket
def tried(family, address):
    with socket.socket(family) as one:
        try:
            one.connect(address)
        except OSError as error:
            return errno.errorcode[error.errno]
    return "connected"
own = socket.socket(socket.AF_UNIX)
own.bind("\\0own")
own.listen()
found = {name: tried(socket.AF_INET, ("127.0.0.1", port)) for name, port in PORTS.items()}
found |= {name: tried(socket.AF_UNIX, "\\0" + given) for name, given in (("own", "own"), ("abstract", OTHER))}
print(json.dumps(found))
"""
SUPERVISED = """
import os, sys
from tasks.supervise import process
ports = {int(port) for port in sys.argv[2].split(",")} if sys.argv[2] else None
command = [sys.executable, "-I", "-c", sys.argv[1]]
sys.exit(process.run_process(command, dict(os.environ), None, is_sandboxed=False, ports=ports))
"""


@pytest.fixture
def servers() -> Iterator[dict[str, int]]:
    """Two ports on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as named, socket.create_server(("127.0.0.1", 0)) as other:
        yield {"named": named.getsockname()[1], "other": other.getsockname()[1]}


def reached(servers: dict[str, int], ports: str) -> dict[str, str]:
    """What a process under its supervisor connects to."""
    abstract = f"other-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(f"\0{abstract}")
        there.listen()
        tries = TRIES.replace("PORTS", repr(servers)).replace("OTHER", repr(abstract))
        done = subprocess.run(
            [sys.executable, "-c", SUPERVISED, tries, ports], capture_output=True, text=True, timeout=patience(60)
        )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@needs_landlock
@pytest.mark.attack(
    rights="stage", stopped="Landlock closes ports that no setting names, and the abstract sockets of others"
)
def test_other_ports_and_abstract_sockets_are_closed(servers: dict[str, int]) -> None:
    found = reached(servers, str(servers["named"]))
    assert (found["named"], found["own"]) == ("connected", "connected")
    assert (found["other"], found["abstract"]) == ("EACCES", "EPERM")


def test_a_kernel_that_has_it_is_known() -> None:
    assert (network.unavailable_reason() is None) == (LANDLOCK >= 6)


def test_without_it_all_are_open(servers: dict[str, int]) -> None:
    """Else the test above could not fail."""
    assert set(reached(servers, "").values()) == {"connected"}


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("http://127.0.0.1:9000", {9000}),
        ("https://user:secret@proxy.example:3128/", {3128}),
        ("[default]\nendpoint_url = http://store:9001/x\nregion = eu", {9001}),
        ("10.0.0.1:6379", {6379}),
        ("https://example.org/simple", set()),
        ("http://host:99999/, 12:30:61x", set()),
    ],
)
def test_ports_that_settings_name(text: str, ports: set[int]) -> None:
    assert network.find_ports([text]) == {*network.DEFAULT_PORTS, *ports}


def test_a_stage_reaches_the_ports_that_its_own_settings_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "unavailable_reason", lambda: None)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(grants.Grant, "gets_passwords", lambda *_: True)
    monkeypatch.setitem(vars(grants.GRANTS["ingest"]), "variable_names", lambda _: ())
    monkeypatch.setitem(vars(grants.GRANTS["ingest"]), "named_ports", lambda _: ())
    monkeypatch.setitem(vars(grants.GRANTS["ingest"]), "can_use_accelerators", lambda _: False)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\nendpoint_url = http://store.example:9001\n")
    given = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9000", "PREFECT_API_URL": "http://127.0.0.1:4200/api",
             "RAY_ADDRESS": "10.0.0.1:6379", "HALLMARK_STAGE_PORTS": "8000, 8100-8101"}  # fmt: skip
    layout, always = a_run(tmp_path), {*network.DEFAULT_PORTS, 8000, 8100, 8101}
    assert grants.allowed_ports("ingest", layout, given) == {*always, 9000, 9001}
    assert grants.allowed_ports("train", layout, given) == {*always, 6379, *cluster_membership.PORT_RANGE}


def test_a_machine_that_closes_no_port_leaves_all_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "unavailable_reason", lambda: "an old kernel")
    assert grants.allowed_ports("train", a_run(tmp_path), {}) is None


@pytest.mark.parametrize("spelled", ["x", "0", "70000", "9-8", "1-2-3", "-1", "8000;9000"])
def test_what_is_no_list_of_ports_is_told(spelled: str) -> None:
    with pytest.raises(InputError, match=r"HALLMARK_STAGE_PORTS: expected ports such as `8000, 10000-19999`, got"):
        network.parse_ports(spelled)
