"""A real Ray head on loopback that asks for a token, and programs that connect to it as a stage does."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tasks.stages.cluster import connection
from tests.patience import patience, wait_until

TOKEN = "0123456789abcdef0123456789abcdef"
LEAN = {
    "RAY_prestart_worker_first_driver": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_enable_metrics_collection": "0",
    "REPORTER_UPDATE_INTERVAL_MS": "600000",
    "SCAN_EVENT_DIR_INTERVAL_SECONDS": "600",
    "EVENT_AGENT_REPORT_INTERVAL_SECONDS": "60",
}
"""Settings of Ray without workers that nobody asked for, and without what it gathers for dashboards."""
JOIN = """
import sys
from pathlib import Path
from tasks.core.errors import HallmarkError
from tasks.core.params.training import Training
from tasks.stages.cluster import connection
from tests.patience import patience, wait_until
from tasks.stages.train.model import builders
connect = connection.init_ray
connection.init_ray = lambda *given: (print("Ray is asked", file=sys.stderr), connect(*given))
try:
    with connection.connect_to_ray(builders.build_worker_spec(Training(threads=1))):
        exec(sys.argv[1])
except HallmarkError as error:
    print(error)
    sys.exit(error.exit_code)
"""


def join(
    home: Path, then: str = "print('in')", before: tuple[str, ...] = (), **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Connect to Ray as the stage does, in a process whose Ray settings are `environment` alone. `before`: words of
    the command before it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return subprocess.run(
        [*before, sys.executable, "-c", JOIN, then], env=clean | {"HOME": str(home)} | environment, capture_output=True,
        text=True, timeout=patience(120),
    )  # fmt: skip


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextlib.contextmanager
def started(home: Path, **more: str) -> Iterator[str]:
    """Address of a cluster that asks for TOKEN, with `more` settings of Ray's, and without its parts that serve no
    stage: an autoscaler, what gathers logs and figures, and workers that nobody has asked for."""
    port = free_port()
    command = [Path(sys.executable).with_name("ray"), "start", "--head", "--block", f"--port={port}", "--num-cpus=1",
               "--include-dashboard=false", "--object-store-memory=80000000", f"--ray-client-server-port={free_port()}",
               f"--dashboard-agent-listen-port={free_port()}", "--no-monitor",
               "--include-log-monitor=false"]  # fmt: skip
    settings = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "RAY_USAGE_STATS_ENABLED": "0", "HOME": str(home),
                "RAY_TMPDIR": f"/tmp/hm-head-{port}", **LEAN, **connection.LOOPBACK_VARIABLES, **more}  # fmt: skip
    log = home / "log"
    with log.open("w") as file:
        process = subprocess.Popen(command, env=os.environ | settings, stdout=file, stderr=file)
    try:
        said = "Ray runtime started"
        wait_until(lambda: said in log.read_text(), "Ray's head", seconds=90, saw=log.read_text, process=process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        wait_until(lambda: process.poll() is not None, "the end of Ray's head")
        shutil.rmtree(settings["RAY_TMPDIR"], ignore_errors=True)
