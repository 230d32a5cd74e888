"""MLflow's pages, as `hallmark up` starts them: for who knows the password, and gone with `down`."""

import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path

import pytest

from infra import mlflow_server
from infra.cli.up import up
from infra.local_server import RunningServer
from infra.prefect import server
from tasks.core.errors import InputError
from tasks.registry.promote import mlflow_mirror
from tests.checkouts import Checkouts

NEW = b'{"name": "mine"}'
MLFLOW = "/api/2.0/mlflow"
CHANGES = (
    *(f"{MLFLOW}/{name}" for name in ("experiments/create", "experiments/update", "runs/create", "runs/delete")),
    f"{MLFLOW}/registered-models/create", "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=a&path=b",
)  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, checkouts: Checkouts, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(mlflow_server.PORT_VARIABLE, "0")
    monkeypatch.delenv(mlflow_server.EXTERNAL_SERVER_VARIABLE, raising=False)
    return checkouts.ready(tmp_path / "project")


def asked(up: RunningServer, path: str, password: str = "", content: bytes | None = None) -> int:
    headers = {"content-type": "application/json"}
    if password:
        headers["authorization"] = f"Basic {b64encode(f'{mlflow_server.USER_NAME}:{password}'.encode()).decode()}"
    request = urllib.request.Request(f"{up.origin}{path}", content, headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


@pytest.mark.slow
@pytest.mark.attack(rights="registry", stopped="MLflow's pages ask for a password, and change nothing for who has it")
def test_who_knows_the_password_may_look_and_nobody_else(project: Path) -> None:
    """What lies in the server's folder is no code of its."""
    planted = mlflow_server.mlflow_folder(project) / "mlflow" / "__init__.py"
    planted.parent.mkdir(parents=True)
    planted.write_text(f"import pathlib; pathlib.Path({str(project / 'ran')!r}).touch(); raise SystemExit")
    with mlflow_mirror.RegistryClient(project / ".hallmark") as client:
        client.create_experiment("mine")
    shown = mlflow_server.start(project, print)
    try:
        assert shown and mlflow_server.start(project, print) == shown, "it is up already"
        password = mlflow_server.secret_file(project).read_text()
        assert mlflow_server.secret_file(project).stat().st_mode & 0o077 == 0
        search, found = f"{MLFLOW}/experiments/search", b'{"max_results": 5}'
        for wrong in ("", "another"):
            assert (asked(shown, "/", wrong), asked(shown, search, wrong, found)) == (401, 401)
        assert (asked(shown, "/", password), asked(shown, search, password, found)) == (200, 200)
        by_name = f"{MLFLOW}/experiments/get-by-name?experiment_name=mine"
        assert asked(shown, by_name, password) == 200, "they show what runs tell MLflow"
        for path in CHANGES:
            assert asked(shown, path, password, NEW) == 403, path
    finally:
        assert mlflow_server.stop(project)
    assert mlflow_server.find(project) is None and not mlflow_server.stop(project)
    assert not (project / "ran").exists()


def test_an_interrupted_up_leaves_no_pages_that_it_began(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Interrupted while Prefect starts; a server of Python's stands for MLflow's, which takes eight seconds."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(project)
    monkeypatch.setattr(server, "start", interrupted)
    served_here = ["-m", "http.server", "--bind", "127.0.0.1"]
    monkeypatch.setattr(mlflow_server, "_command", lambda root, port: [*served_here, str(port)])
    with pytest.raises(KeyboardInterrupt):
        up()
    assert "ending what was begun" in capsys.readouterr().out
    assert mlflow_server.find(project) is None
    before = mlflow_server.start(project, print)
    try:
        with pytest.raises(KeyboardInterrupt):
            up()
        assert mlflow_server.find(project) == before, "it was up before"
    finally:
        assert mlflow_server.stop(project)


def test_none_is_started_where_another_is_named_or_none_is_wanted(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(mlflow_server.EXTERNAL_SERVER_VARIABLE, "http://127.0.0.1:1")
    assert mlflow_server.start(project, print) is None
    monkeypatch.delenv(mlflow_server.EXTERNAL_SERVER_VARIABLE)
    monkeypatch.setenv(mlflow_server.PORT_VARIABLE, "off")
    assert mlflow_server.start(project, print) is None
    monkeypatch.setenv(mlflow_server.PORT_VARIABLE, "99999")
    with pytest.raises(InputError, match=r"HALLMARK_MLFLOW_PORT: expected a port .* 0 for any free one, or `off`"):
        mlflow_server.start(project, print)
    assert not (mlflow_server.mlflow_folder(project) / "up.json").exists()
