"""Ray: what of it listens where, and what a person is told of a cluster that is away or wants a token."""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tasks.core.errors import InputError, Unavailable
from tasks.core.params.training import Training
from tasks.stages.cluster import connection, member, raylet
from tasks.stages.cluster import head as head_of_ray
from tasks.stages.cluster.storage import place
from tasks.stages.train import builders
from tasks.stages.train.job import Job
from tasks.stages.train.machines import fitting
from tests.tiny_project import ROOT

TOKEN = "0123456789abcdef0123456789abcdef"
JOIN = """
import sys
from pathlib import Path
from tasks.core.errors import HallmarkError
from tasks.core.params.training import Training
from tasks.stages.cluster import connection
from tasks.stages.train import builders
connect = connection.connect
connection.connect = lambda *given: (print("Ray is asked", file=sys.stderr), connect(*given))
try:
    with connection.running(builders.crew(Training(threads=1))):
        exec(sys.argv[1])
except HallmarkError as error:
    print(error)
    sys.exit(error.exit_code)
"""
LISTENERS = """
import psutil, time, ray
time.sleep(2)  # the last of Ray's processes open their ports late
mine = [psutil.Process(), *psutil.Process().children(recursive=True)]
for process in mine:
    for place in process.net_connections("inet"):
        if place.status == psutil.CONN_LISTEN:
            print(place.laddr.ip)
"""

WITHOUT = "without its token"
STRANGER = f"""
import subprocess, sys, os
print({WITHOUT!r})
there = ray.get_runtime_context().gcs_address
environment = {{name: value for name, value in os.environ.items() if not name.startswith("RAY_")}}
other = f"from tasks.stages.cluster import head; head.require({{there!r}})"
print(subprocess.run([sys.executable, "-c", other], env=environment, capture_output=True, text=True).stderr)
"""


def join(
    home: Path, then: str = "print('in')", before: tuple[str, ...] = (), **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Connect to Ray as the stage does, in a process whose Ray settings are `environment` alone. `before`: words of
    the command before it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return subprocess.run(
        [*before, sys.executable, "-c", JOIN, then], env=clean | {"HOME": str(home)} | environment, capture_output=True,
        text=True, timeout=400,
    )  # fmt: skip


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a cluster that asks for TOKEN."""
    with started(tmp_path_factory.mktemp("head")) as address:
        yield address


@contextlib.contextmanager
def started(home: Path, **more: str) -> Iterator[str]:
    """Address of a cluster that asks for TOKEN, with `more` settings of Ray's."""
    port = free_port()
    command = [Path(sys.executable).with_name("ray"), "start", "--head", "--block", f"--port={port}", "--num-cpus=1",
               "--include-dashboard=false", "--object-store-memory=80000000", f"--ray-client-server-port={free_port()}",
               f"--dashboard-agent-listen-port={free_port()}"]  # fmt: skip
    settings = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "RAY_USAGE_STATS_ENABLED": "0", "HOME": str(home),
                "RAY_TMPDIR": f"/tmp/hm-head-{port}", **connection.LOOPBACK, **more}  # fmt: skip
    with (home / "log").open("w") as log:
        process = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 90
        while "Ray runtime started" not in (told := (home / "log").read_text()):
            assert process.poll() is None and time.monotonic() < deadline, told
            time.sleep(0.2)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=60)
        shutil.rmtree(settings["RAY_TMPDIR"], ignore_errors=True)


@pytest.mark.slow
def test_a_ray_of_the_stages_own_listens_on_loopback_and_lets_nobody_in_without_its_token(tmp_path: Path) -> None:
    """Whoever reaches the port of a Ray without a token runs code as this user. Nor is one left at home."""
    told = join(tmp_path, LISTENERS + STRANGER)
    assert told.returncode == 0, told.stderr
    places, _, stranger = told.stdout.partition(WITHOUT)
    assert places.split() and set(places.split()) <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    assert not (tmp_path / ".ray").exists()
    assert "asks for a token" in stranger, told.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ({}, 2, "asks for a token; set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"),
        ({"RAY_AUTH_TOKEN": TOKEN}, 2, "asks for a token; set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"),
        ({"RAY_AUTH_MODE": "token"}, 2, "there is no token; set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN"),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "wrong"}, 2, "refuses the token of RAY_AUTH_TOKEN; set that of"),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": "/none"}, 2, "RAY_AUTH_TOKEN_PATH: /none cannot be read"),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}, 0, "in"),
    ],
    ids=["nothing", "no mode", "no token", "wrong token", "no file", "right"],
)
def test_a_cluster_that_asks_for_a_token_says_what_to_set(
    head: str, tmp_path: Path, given: dict[str, str], code: int, words: str
) -> None:
    """Ray itself would try for 20 seconds."""
    told = join(tmp_path, RAY_ADDRESS=head, **connection.LOOPBACK, **given)
    assert (told.returncode, words in told.stdout) == (code, True), told
    assert "does not answer" not in told.stdout and TOKEN not in told.stdout
    assert ("Ray is asked" in told.stderr) == (code == 0)


RAYLET_ENDS = """
import os, psutil, ray, time
from tasks.core import locks
@ray.remote
def asked(seconds):
    time.sleep(seconds)
    return os.environ["RAY_RAYLET_PID"], os.getppid()
number, parent = ray.get(asked.remote(0))
print("a worker's raylet is its own", number == str(parent))
from tasks.stages.cluster import raylet as rules
raylet, = map(psutil.Process, rules.running())
first = asked.remote(60)
folder = Path(ray._private.worker.global_worker.node.get_session_dir_path()).parents[1]
print("others enter", oct(folder.stat().st_mode & 0o77), "lock", locks.is_held(folder / connection.LOCK))
raylet.kill()
ACT
"""
APART = ("unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", '"$@"; exit $?', "sh")
"""Before a command: its parent has the number 1, as in a sandbox."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "act",
    [
        "raylet.wait(); ray.wait([first]); ray.get(asked.remote(0))",
        "time.sleep(600)",
        "[ray.put(bytes(10**6)) for _ in range(9)]  # plasma",
    ],
    ids=["another task", "nothing", "an object"],
)
def test_a_raylet_that_ends_is_told_in_words(tmp_path: Path, act: str) -> None:
    """Ray would end the stage without a word where its parent looks as if it had ended too."""
    can = subprocess.run([*APART, "true"], capture_output=True).returncode == 0
    told = join(tmp_path, RAYLET_ENDS.replace("ACT", act), APART if can else ())
    assert "a worker's raylet is its own True" in told.stdout, told
    assert "others enter 0o0 lock True" in told.stdout, told
    assert raylet.WORDS in told.stdout, told
    assert told.returncode == 3 or "plasma" in act, told


def test_an_error_while_the_raylet_runs_or_is_another_ones_stays_as_it_is() -> None:
    lives, ended = [{0}, {0}], [{0}, set()]
    for started, seen, kind in (
        (False, iter(ended), KeyError),
        (True, iter(lives), KeyError),
        (True, iter(ended), Unavailable),
    ):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(raylet, "running", lambda seen=seen: next(seen))
            patched.setattr(raylet, "END_SECONDS", 0.0)
            with pytest.raises(kind), raylet.outlived(started):
                raise KeyError("no such row")


def certificate(folder: Path) -> dict[str, str]:
    """Ray's settings for TLS on loopback, with a certificate that vouches for itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ray")])
    places = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(hours=1), now + timedelta(days=1))
    made = made.add_extension(places, critical=False)
    (folder / "cert.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    pem = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *pem))
    files = {"RAY_TLS_SERVER_CERT": "cert.pem", "RAY_TLS_SERVER_KEY": "key.pem", "RAY_TLS_CA_CERT": "cert.pem"}
    return {"RAY_USE_TLS": "1"} | {name: str(folder / file) for name, file in files.items()}


@pytest.mark.slow
def test_a_cluster_with_tls_lets_in_who_has_it_and_says_what_is_missing(tmp_path: Path) -> None:
    given = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, **connection.LOOPBACK}
    tls = certificate(tmp_path)
    with started(tmp_path, **tls) as address:
        with_it = join(tmp_path, "print('in')", RAY_ADDRESS=address, **given, **tls)
        assert (with_it.returncode, with_it.stdout.strip()) == (0, "in"), with_it
        without = join(tmp_path, RAY_ADDRESS=address, **given)
        assert without.returncode == 3 and "RAY_USE_TLS is not set here: is it on the cluster?" in without.stdout


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {},
            "RAY_USE_TLS is set, and RAY_TLS_SERVER_CERT is not; set RAY_TLS_SERVER_CERT, RAY_TLS_SERVER_KEY, RAY_TLS",
        ),
        ({"RAY_TLS_SERVER_CERT": "/none"}, "RAY_TLS_SERVER_CERT: /none cannot be read (No such file or directory)"),
    ],
    ids=["none named", "none there"],
)
def test_tls_without_its_files_names_them(monkeypatch: pytest.MonkeyPatch, files: dict[str, str], words: str) -> None:
    for name in head_of_ray.TLS_FILES:
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"RAY_USE_TLS": "1"} | files).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match=re.escape(words)):
        head_of_ray.require("127.0.0.1:1")


def test_a_cluster_that_is_open_to_others_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_AUTH_MODE", "RAY_USE_TLS"):
        monkeypatch.delenv(name, raising=False)
    assert "asks for no token" in (said := str(head_of_ray.open_ways("h:1"))) and "has no TLS" in said
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    assert "no token" not in (said := str(head_of_ray.open_ways("h:1"))) and "has no TLS" in said
    monkeypatch.setenv("RAY_USE_TLS", "1")
    assert head_of_ray.open_ways("h:1") is None


def test_no_process_that_a_stage_starts_heeds_variables_of_python(tmp_path: Path) -> None:
    """Of Ray's own processes most are started without `-I`."""
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit('run')")
    program = tmp_path / "program.py"
    program.write_text("import subprocess, sys; print(subprocess.check_output([sys.executable, '-c', 'print(1)']))")
    given = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONHASHSEED": "abc"}
    command = [sys.executable, "-I", ROOT / "tasks" / "stages" / "start.py", program]
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "b'1\\n'"), done.stderr


TOO_MANY = """
from tasks.stages.cluster import connection
from tasks.stages.cluster.crew import Crew
with connection.running(Crew("training", 2**40, 2**20, gpu=False)):
    print("in")
"""


def test_a_ray_of_its_own_that_does_not_start_is_told_in_words(tmp_path: Path) -> None:
    told = subprocess.run([sys.executable, "-c", TOO_MANY], capture_output=True, text=True, timeout=120)
    assert told.returncode == 1 and "in" not in told.stdout
    assert "Unavailable: Ray could not start on this machine: " in told.stderr.splitlines()[-1], told.stderr


def test_a_cluster_that_is_away_is_told_as_such_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable, match=r"does not answer at RAY_ADDRESS=127.0.0.1:\d+ .*; start the cluster"):
        head_of_ray.require(f"127.0.0.1:{free_port()}")
    monkeypatch.setattr(head_of_ray, "SECONDS", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(Unavailable, match="DEADLINE_EXCEEDED"):
            head_of_ray.require(f"127.0.0.1:{silent.getsockname()[1]}")


def test_the_words_for_a_refused_token_hold_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    error = head_of_ray.refused("ray:6379")
    assert isinstance(error, InputError) and TOKEN not in str(error)


DEATH = """The actor died unexpectedly before finishing this task. There are some potential root causes.
(1) The process is killed by SIGKILL by OOM killer due to high memory usage. (2) ray stop --force is called."""
"""What Ray says of every worker that is gone."""


class Failed(Exception):
    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.worker_failures = {0: cause}


def test_a_worker_that_is_gone_is_lost_and_one_that_ray_ended_for_its_memory_is_told_apart(tmp_path: Path) -> None:
    from ray.exceptions import RayActorError

    job = Job(Training(), tmp_path, tmp_path, tmp_path, tmp_path, tmp_path)
    gone = Failed(RayActorError(error_msg=DEATH))
    assert fitting.short(gone, job) is None
    assert str(fitting.lost(gone, job, 1)) == "worker 0 of 1 was lost"
    ended = Failed(RuntimeError("ray.exceptions.OutOfMemoryError: the node is running low on memory"))
    assert "for want of memory, in passes of 4096 tokens" in str(fitting.short(ended, job))
    assert fitting.lost(Failed(ValueError("a fault in the code")), job, 2) is None
    neighbour = Failed(RuntimeError("[gloo] Connection closed by peer [127.0.0.1]:1"))
    assert fitting.lost(neighbour, job, 2) is not None


def test_a_raylet_of_the_stages_own_inherits_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has the cluster's token starts processes beside it, which see its environment."""
    keys = ("AWS_SECRET_ACCESS_KEY", place.KEYS[1], "MLFLOW_TRACKING_PASSWORD", "HF_TOKEN")
    for name in (*keys, "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, "secret")
    given = member._environment()
    assert given["RAY_AUTH_TOKEN"] == "secret" and given["PATH"]
    assert not set(keys) & given.keys()


def test_its_ports_lie_where_a_network_policy_opens_them() -> None:
    for _ in range(50):
        ports = [int(setting.partition("=")[2]) for setting in member._ports()]
        assert len(ports) == len(set(ports)) and {*ports} <= {*member.PORTS}


def test_it_takes_no_ports_on_which_somebody_listens() -> None:
    blocks = list(member.PORTS[:: member.BLOCK])
    with contextlib.ExitStack() as listening:
        for first in blocks[:-1]:
            if member._is_free(first):
                listening.enter_context(socket.create_server(("", first + member.BLOCK // 2)))
        if not member._is_free(blocks[-1]):
            pytest.skip("somebody listens on the last ports too")
        ports = [int(setting.partition("=")[2]) for setting in member._ports()]
    assert min(ports) == blocks[-1]


PLACES = """
import ray, time
from pathlib import Path
from tasks.stages.train.job import Job
from tasks.stages.train.machines import places
places.SETTLED_SECONDS = 1.0
def job(unfit=(), **settings):
    return Job(Training(threads=1, **settings), *[Path()] * 5, unfit=unfit)
two = dict(workers=2, least_workers=1)
print("room for", places.wait_for(job(**two)), places.wait_for(job(workers=1)))
only = ray.nodes()[0]["NodeID"]
for unfit in ((), (only, "0" * 56), ("0" * 56,)):
    with places.asked(job(unfit, **two), [2, 1]) as asked:
        until = time.monotonic() + (2 if only in unfit else 60)
        while not asked.given() and time.monotonic() < until:
            time.sleep(0.1)
        print("of", len(unfit), "unfit", asked.given())
"""


@pytest.mark.slow
def test_a_training_begins_with_as_many_workers_as_have_room(head: str, tmp_path: Path) -> None:
    """The head has one CPU. Two places that are wanted together are not given one by one. A machine that does not fit
    gives none."""
    settings = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
    told = join(tmp_path, PLACES, RAY_ADDRESS=head, **connection.LOOPBACK, **settings)
    assert told.returncode == 0, told.stderr
    assert "room for 1 1" in told.stdout and "of 0 unfit 1\nof 2 unfit 0\nof 1 unfit 1" in told.stdout


def test_gpus_that_are_not_there_are_told_before_anything_waits_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 2.0, "GPU": 1.0})
    connection.require_devices(builders.crew(Training(device="gpu")))
    connection.require_devices(builders.crew(Training(workers=4)))
    with pytest.raises(InputError, match="workers 2 on device gpu needs as many GPUs, and this machine has 1"):
        connection.require_devices(builders.crew(Training(device="gpu", workers=2)))
