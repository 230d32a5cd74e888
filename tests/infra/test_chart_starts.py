"""What the chart starts, started: each container's command and environment, not as root, on a root that cannot be
written, in a network of its own."""

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from infra import mlflow_server
from infra.console import server as console
from infra.prefect import server
from tests.checkouts import Checkouts
from tests.helm import render
from tests.infra.test_kubernetes import KEYS
from tests.patience import patience
from tests.tiny_project import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bwrap is not there, which takes a container's place"),
]
ASK = """
import json, subprocess, sys, time, urllib.error, urllib.request
command, asked, said, probe = json.loads(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3], json.loads(sys.argv[5])
process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

def status(url, host):
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    try:
        return urllib.request.urlopen(request, timeout=60).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None

def probes(command):
    while (code := subprocess.run(command, capture_output=True).returncode) and time.monotonic() < until:
        time.sleep(0.5)
    return "probed" if code == 0 else 0

until = time.monotonic() + float(sys.argv[4])
if said:
    while said not in (line := process.stdout.readline()) and line:
        pass
    answers = [line]
else:
    while not status(*asked[0]) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.5)
    answers = [status(*each) for each in asked]
if probe:
    answers.append(probes(probe))
process.kill()
print(json.dumps(answers))
if not all(answers):
    print(process.stdout.read(), file=sys.stderr)
"""
SIGN_IN = """[mlflow]
default_permission = READ
database_uri = sqlite:////tmp/users.db
admin_username = hallmark
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
grant_default_workspace_access = false
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    """A checkout whose databases have their tables, which Prefect and MLflow take longer to make than to start."""
    return checkouts.ready(tmp_path_factory.mktemp("project") / "project")


@cache
def deployments() -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in render() if each["kind"] == "Deployment"}


def container(part: str) -> dict[str, Any]:
    return dict(deployments()[f"hallmark-{part}"]["spec"]["template"]["spec"]["containers"][0])


def answers(
    part: str, secret: dict[str, str], asked: list[tuple[str, str]], mounts: dict[str, Path], said: str = ""
) -> list[Any]:
    """Start a component of the chart with its secret and send it requests, each with a host name.

    With `said`, wait until it prints that instead.

    `mounts`: paths that it may read; those named .git, .hallmark or db it may write as well.

    Returns:
        The status of each answer, or the line; and `probed` if the component has a probe that is a command, which held.
    """
    made = container(part)
    given = {each["name"]: each["value"] for each in made["env"] if "value" in each} | secret
    probe = made["readinessProbe"].get("exec", {}).get("command", [])
    shut = ["bwrap", "--die-with-parent", "--unshare-user", "--uid", "10001", "--gid", "10001", "--unshare-net",
            "--unshare-pid", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/srv"]  # fmt: skip
    shown = ["--ro-bind", str(ROOT), str(ROOT)]  # it may lie below /tmp
    own = [word for to, path in mounts.items() for word in (_bind(to), str(path), to)]
    inside = [sys.executable, "-I", "-c", ASK, json.dumps(made["command"]), json.dumps(asked), said]
    inside += [str(patience(240)), json.dumps(probe)]
    command = [*shut, "--tmpfs", "/tmp", *shown, *own, "--chdir", made["workingDir"], *inside]
    done = subprocess.run(
        command, capture_output=True, text=True,
        env=given | {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},
        timeout=patience(300),
    )  # fmt: skip
    assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
    return list(json.loads(done.stdout))


def _bind(to: str) -> str:
    return "--bind" if to.endswith((".git", ".hallmark", "db")) else "--ro-bind"


def test_prefect_asks_for_its_secret(project: Path) -> None:
    at = f"http://127.0.0.1:{server.DEFAULT_PORT}"
    given = {"PREFECT_API_DATABASE_CONNECTION_URL": "sqlite+aiosqlite:////tmp/db/prefect.db",
             "PREFECT_SERVER_API_AUTH_STRING": "hallmark:secret"}  # fmt: skip
    asked = [(f"{at}/api/health", ""), (f"{at}/api/flows/x", ""), (at, "")]
    assert answers("prefect", given, asked, {"/tmp/db": project / ".hallmark" / "prefect"}) == [200, 401, 200]


def test_mlflow_asks_for_its_password_under_its_own_name(project: Path, tmp_path: Path) -> None:
    (tmp_path / "sign_in.ini").write_text(SIGN_IN)
    at = f"http://127.0.0.1:{mlflow_server.DEFAULT_PORT}"
    given = {"MLFLOW_BACKEND_STORE_URI": "sqlite:////tmp/db/mlflow.db", "MLFLOW_DEFAULT_ARTIFACT_ROOT": "s3://artifacts/",
             "MLFLOW_FLASK_SERVER_SECRET_KEY": "secret", "MLFLOW_AUTH_ADMIN_PASSWORD": "a long password",
             "MLFLOW_AUTH_CONFIG_PATH": "/srv/mlflow/sign_in.ini"}  # fmt: skip
    asked = [
        (f"{at}/health", "10.1.2.3:5000"),
        (at, f"hallmark-mlflow.hallmark.svc:{mlflow_server.DEFAULT_PORT}"),
        (at, "evil.example"),
    ]
    mounts = {"/srv/mlflow": tmp_path, "/tmp/db": project / ".hallmark" / "mlflow"}
    assert answers("mlflow", given, asked, mounts) == [200, 401, 403]


@pytest.fixture(scope="module")
def mounts(project: Path) -> dict[str, Path]:
    """The checkout as a pod has it."""
    return {
        "/srv/hallmark": project,
        "/srv/hallmark/.hallmark": project / ".hallmark",
        "/srv/hallmark/.git": project / ".git",
    }


def with_keys(part: str, mounts: dict[str, Path], folder: Path) -> dict[str, Path]:
    """Return mounts that show private keys of the part alone, and the public halves that environment `local` reads."""
    own = mounts["/srv/hallmark/.hallmark"] / "keys"
    for each in (*own.glob("*.pub"), *(own / name for name in KEYS.get(part, ()))):
        shutil.copy(each, folder)
    return mounts | {"/srv/hallmark/.hallmark/keys": folder}


def test_the_console_shows_its_entrance_without_a_private_key(mounts: dict[str, Path], tmp_path: Path) -> None:
    at, shown = f"http://127.0.0.1:{console.DEFAULT_PORT}", with_keys("console", mounts, tmp_path)
    assert answers("console", {}, [(f"{at}/sign-in", "")], shown) == [200, "probed"]


def test_the_watch_watches_with_its_own_keys(mounts: dict[str, Path], tmp_path: Path) -> None:
    shown = with_keys("watch", mounts, tmp_path)
    said, probed = answers("watch", {}, [], shown, said="this process watches")
    assert "this process watches" in said and probed == "probed"
