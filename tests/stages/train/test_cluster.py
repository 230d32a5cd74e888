"""This machine's part in Ray: what of it listens where, what ends with it, and what of a lost worker is told."""

import contextlib
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.core.errors import InputError, Unavailable
from tasks.core.params.training import Training
from tasks.stages.cluster import cluster_membership, connection, private_instance, raylet
from tasks.stages.cluster.storage import training_storage
from tasks.stages.train.job import Job
from tasks.stages.train.machines import ray_attempt
from tasks.stages.train.model import builders
from tests.patience import patience
from tests.stages.train.ray_head import join
from tests.tiny_project import ROOT

LISTENERS = """
import psutil
def listening():
    try:
        return look()
    except psutil.Error:  # one has ended meanwhile
        return None
def look():
    mine = [psutil.Process(), *psutil.Process().children(recursive=True)]
    found = {each: {at.laddr.ip for at in each.net_connections("inet") if at.status == "LISTEN"} for each in mine}
    agents = [places for each, places in found.items() if "Agent" in str(each.cmdline()[:1])]
    return len(agents) == 2 and all(agents) and set().union(*found.values())
while not (places := listening()):  # the agents open theirs late
    time.sleep(0.1)
print("listens on", *places)
"""
STRANGER = """
import subprocess, sys
there = ray.get_runtime_context().gcs_address
environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
other = f"from tasks.stages.cluster import head_check; head_check.require_head_reachable({there!r})"
told = subprocess.run([sys.executable, "-c", other], env=environment, capture_output=True, text=True).stderr
print("a stranger is told", told.splitlines()[-1])
"""
RAYLET_ENDS = """
import os, psutil, ray, time
from tasks.core.machine import locks
@ray.remote
def asked(seconds):
    time.sleep(seconds)
    return os.environ["RAY_RAYLET_PID"], os.getppid()
number, parent = ray.get(asked.remote(0))
print("a worker's raylet is its own", number == str(parent))
from tasks.stages.cluster import raylet as rules
raylet, = map(psutil.Process, rules.raylet_pids())
first = asked.remote(60)
folder = Path(ray._private.worker.global_worker.node.get_session_dir_path()).parents[1]
commands = [" ".join(each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"])]
programs = [command for command in commands if str(folder) in command]
print("monitors", sum("monitor.py" in command for command in programs), "others", len(programs) > 1)
print("others enter", oct(folder.stat().st_mode & 0o77), "lock", locks.is_held(folder / connection.LOCK_FILE))
SEE
raylet.kill()
ACT
"""
APART = ("unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", '"$@"; exit $?', "sh")
"""Before a command: its parent has the number 1, as in a sandbox."""
ANOTHER_TASK = "raylet.wait(); ray.wait([first]); ray.get(asked.remote(0))"
NOTHING = "time.sleep(600)"
AN_OBJECT = "[ray.put(bytes(10**6)) for _ in range(9)]  # plasma"


def raylet_ends(home: Path, act: str, see: str = "") -> "subprocess.CompletedProcess[str]":
    """Kill the raylet of a stage's own Ray while the stage runs the code `act`. `see`: code that runs before."""
    can = subprocess.run([*APART, "true"], capture_output=True).returncode == 0
    told = join(home, RAYLET_ENDS.replace("SEE", see).replace("ACT", act), APART if can else ())
    assert "a worker's raylet is its own True" in told.stdout, told
    assert "others enter 0o0 lock True" in told.stdout, told
    assert "monitors 0 others True" in told.stdout, told
    return told


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def own_ray(home: Path) -> "subprocess.CompletedProcess[str]":
    """What became of a Ray of a stage's own: where it listened, what a stranger was told, how its raylet ended."""
    return raylet_ends(home, ANOTHER_TASK, LISTENERS + STRANGER)


@pytest.mark.slow
def test_a_ray_of_the_stages_own_listens_on_loopback_alone(own_ray: "subprocess.CompletedProcess[str]") -> None:
    (line,) = [line for line in own_ray.stdout.splitlines() if line.startswith("listens on ")]
    places = line.removeprefix("listens on ").split()
    assert places and set(places) <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}


@pytest.mark.slow
def test_nobody_is_let_into_it_without_its_token(own_ray: "subprocess.CompletedProcess[str]", home: Path) -> None:
    """Whoever reaches the port of a Ray without a token runs code as this user. Nor is one left at home."""
    (line,) = [line for line in own_ray.stdout.splitlines() if line.startswith("a stranger is told ")]
    assert "asks for a token" in line
    assert not (home / ".ray").exists()


@pytest.mark.slow
def test_a_raylet_that_ends_before_another_task_is_told_in_words(own_ray: "subprocess.CompletedProcess[str]") -> None:
    """Ray would end the stage without a word where its parent looks as if it had ended too."""
    assert (own_ray.returncode, raylet.RAYLET_ENDED_MESSAGE in own_ray.stdout) == (3, True), own_ray


@pytest.mark.slow
def test_a_raylet_that_ends_while_the_stage_asks_for_nothing_is_told_in_words(tmp_path: Path) -> None:
    told = raylet_ends(tmp_path, NOTHING)
    assert (told.returncode, raylet.RAYLET_ENDED_MESSAGE in told.stdout) == (3, True), told


@pytest.mark.soak
def test_a_raylet_that_ends_before_an_object_is_stored_ends_the_stage(tmp_path: Path) -> None:
    """Ray may end the stage, since its object store is gone, before our thread has printed why."""
    assert raylet_ends(tmp_path, AN_OBJECT).returncode


def test_an_error_while_the_raylet_runs_or_is_another_ones_stays_as_it_is() -> None:
    lives, ended = [{0}, {0}], [{0}, set()]
    for started, seen, kind in (
        (False, iter(ended), KeyError),
        (True, iter(lives), KeyError),
        (True, iter(ended), Unavailable),
    ):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(raylet, "raylet_pids", lambda seen=seen: next(seen))
            patched.setattr(raylet, "RAYLET_END_SECONDS", 0.0)
            with pytest.raises(kind), raylet.watch_raylet(started):
                raise KeyError("no such row")


def test_no_process_that_a_stage_starts_heeds_variables_of_python(tmp_path: Path) -> None:
    """Of Ray's own processes most are started without `-I`."""
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit('run')")
    program = tmp_path / "program.py"
    program.write_text("import subprocess, sys; print(subprocess.check_output([sys.executable, '-c', 'print(1)']))")
    given = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONHASHSEED": "abc"}
    command = [sys.executable, "-I", ROOT / "tasks" / "stages" / "start.py", program]
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=patience(60))
    assert (done.returncode, done.stdout.strip()) == (0, "b'1\\n'"), done.stderr


TOO_MANY = """
from tasks.stages.cluster import connection, private_instance
from tasks.stages.cluster.worker_spec import WorkerSpec
with connection.connect_to_ray(WorkerSpec("training", 2**40, 2**20, uses_gpu=False)):
    print("in")
"""


def test_a_ray_of_its_own_that_does_not_start_is_told_in_words(tmp_path: Path) -> None:
    told = subprocess.run([sys.executable, "-c", TOO_MANY], capture_output=True, text=True, timeout=patience(60))
    assert told.returncode == 1 and "in" not in told.stdout
    assert "Unavailable: Ray could not start on this machine: " in told.stderr.splitlines()[-1], told.stderr


def test_what_a_killed_stage_left_is_swept_up_and_what_another_uses_is_not() -> None:
    left = Path(f"/tmp/{connection.SESSION_FOLDER_PREFIX}left-{os.getpid()}")
    with connection.ray_session_folder() as in_use:
        (left / "r").mkdir(parents=True)
        with connection.ray_session_folder():
            assert in_use.exists() and not left.exists()


@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning")  # as Ray copies its own settings
def test_ray_train_starts_no_helper_that_a_training_has_no_use_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.train import ScalingConfig
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    from tasks.stages.train.machines import trainer

    def callbacks(kind: type[DataParallelTrainer]) -> set[str]:
        return {type(each).__name__ for each in kind(print)._create_default_callbacks()}

    of_ray = callbacks(DataParallelTrainer)
    assert of_ray - callbacks(trainer.Trainer) == {trainer.DATASETS_CALLBACK}
    assert of_ray - callbacks(trainer.SingleMachineTrainer) == {trainer.DATASETS_CALLBACK, trainer.CLEANER_CALLBACK}
    monkeypatch.setattr(DataParallelTrainer, "_initialize_and_run_controller", lambda _, **given: given)
    own = trainer.SingleMachineTrainer(print, scaling_config=ScalingConfig(num_workers=3))
    policy = own._initialize_and_run_controller(scaling_policy="of Ray", callbacks=[])["scaling_policy"]
    policy.after_controller_start(None)
    assert policy.make_decision_for_non_running_worker_group().num_workers == 3
    assert policy._coordinator_client is None, "an autoscaler is asked"


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
    assert ray_attempt.out_of_memory_error(gone, job) is None
    assert str(ray_attempt.workers_lost_error(gone, job, 1)) == "worker 0 of 1 was lost"
    ended = Failed(RuntimeError("ray.exceptions.OutOfMemoryError: the node is running low on memory"))
    assert "for want of memory, in passes of 4096 tokens" in str(ray_attempt.out_of_memory_error(ended, job))
    assert ray_attempt.workers_lost_error(Failed(ValueError("a fault in the code")), job, 2) is None
    neighbour = Failed(RuntimeError("[gloo] Connection closed by peer [127.0.0.1]:1"))
    assert ray_attempt.workers_lost_error(neighbour, job, 2) is not None


def test_a_raylet_of_the_stages_own_inherits_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has the cluster's token starts processes beside it, which see its environment."""
    keys = ("AWS_SECRET_ACCESS_KEY", training_storage.TRAINING_AWS_VARIABLES[1], "MLFLOW_TRACKING_PASSWORD", "HF_TOKEN")
    for name in (*keys, "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, "secret")
    given = cluster_membership._raylet_environment()
    assert given["RAY_AUTH_TOKEN"] == "secret" and given["PATH"]
    assert not set(keys) & given.keys()


def test_a_ray_without_the_methods_that_start_monitors_is_started_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray._private.node import Node

    monkeypatch.delattr(Node, "start_monitor")
    before = vars(Node).copy()
    with private_instance.without_ray_monitors():
        assert vars(Node).keys() == before.keys()
    assert vars(Node) == before


def test_a_ray_without_the_method_that_starts_a_raylet_is_started_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray._private.node import Node

    monkeypatch.delattr(Node, "start_ray_processes")
    before = vars(Node).copy()
    with private_instance.waiting_for_raylet():
        assert vars(Node) == before


SLOW = """
import threading, time
import psutil
from tasks.stages.cluster import connection, private_instance
from tasks.stages.cluster.worker_spec import WorkerSpec

def stop_raylet():
    while not (found := [each for each in psutil.Process().children(recursive=True) if each.name() == "raylet"]):
        time.sleep(0.01)
    found[0].suspend()
    time.sleep(40)
    found[0].resume()

threading.Thread(target=stop_raylet, daemon=True).start()
with connection.connect_to_ray(WorkerSpec("training", 1, 1, uses_gpu=False)):
    print("in")
"""
"""A program whose raylet does nothing for longer than Ray itself waits for it."""


@pytest.mark.soak
def test_a_ray_that_is_slow_to_start_is_waited_for() -> None:
    done = subprocess.run([sys.executable, "-c", SLOW], capture_output=True, text=True, timeout=patience(200))
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.fullmatch(r"(progress ray waiting for Ray to start, \d+ s so far\n)+in\n", done.stdout), done.stdout


FAILING = """
import os
os.environ["RAY_AUTH_MODE"] = "token"  # Ray reads it when it is imported
from ray._private.node import Node
from tasks.stages.cluster import connection, private_instance
from tasks.stages.cluster.worker_spec import WorkerSpec

start, attempts = Node.start_raylet, []
def fail_once(node, *given, **more):
    attempts.append(node)
    if len(attempts) == 1:
        raise RuntimeError("it is too busy")
    start(node, *given, **more)
Node.start_raylet = fail_once
with connection.connect_to_ray(WorkerSpec("training", 1, 1, uses_gpu=False)):
    left = [each for each in attempts[0].all_processes["gcs_server"] if each.process.poll() is None]
    print(len(attempts), left)
"""
"""A program whose raylet does not start at first. It prints the number of attempts, and what is left of the first."""


def test_a_ray_that_does_not_start_is_started_again() -> None:
    done = subprocess.run([sys.executable, "-c", FAILING], capture_output=True, text=True, timeout=patience(120))
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines() == ["progress ray Ray did not start (it is too busy), trying again", "2 []"]


def test_its_ports_lie_where_a_network_policy_opens_them() -> None:
    for _ in range(50):
        ports = [int(setting.partition("=")[2]) for setting in cluster_membership._port_arguments()]
        assert len(ports) == len(set(ports)) and {*ports} <= {*cluster_membership.PORT_RANGE}


def test_it_takes_no_ports_on_which_somebody_listens() -> None:
    blocks = list(cluster_membership.PORT_RANGE[:: cluster_membership.PORTS_PER_STAGE])
    with contextlib.ExitStack() as listening:
        for first in blocks[:-1]:
            if cluster_membership._is_port_block_free(first):
                listening.enter_context(socket.create_server(("", first + cluster_membership.PORTS_PER_STAGE // 2)))
        if not cluster_membership._is_port_block_free(blocks[-1]):
            pytest.skip("somebody listens on the last ports too")
        ports = [int(setting.partition("=")[2]) for setting in cluster_membership._port_arguments()]
    assert min(ports) == blocks[-1]


def test_gpus_that_are_not_there_are_told_before_anything_waits_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 2.0, "GPU": 1.0})
    connection.require_gpus(builders.build_worker_spec(Training(device="gpu")))
    connection.require_gpus(builders.build_worker_spec(Training(workers=4)))
    with pytest.raises(InputError, match="workers 2 on device gpu needs as many GPUs, and this machine has 1"):
        connection.require_gpus(builders.build_worker_spec(Training(device="gpu", workers=2)))
