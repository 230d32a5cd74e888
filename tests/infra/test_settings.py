"""`hallmark settings` lists what Hallmark reads from the environment, and shows no secret."""

from pathlib import Path

import pytest

from infra.cli.settings import Setting, list_settings
from tasks.supervise.settings import COMMAND_VARIABLES, RUNNER_VARIABLES
from tests.in_process import hallmark, hallmark_json

SECRETS = {
    "HALLMARK_VAULT_KEY": "s3cret",
    "HALLMARK_LEDGER_URL": "postgresql+pg8000://ledger:s3cret@db.example/hallmark",
    "HALLMARK_NOTIFY": "https://hooks.example/services/s3cret?more=s3cret",
    "HALLMARK_GIT_REMOTE": "https://s3cret@git.example/project.git",
    "PREFECT_API_AUTH_STRING": "s3cret",
    "RAY_AUTH_TOKEN": "s3cret",
    "AWS_SECRET_ACCESS_KEY": "s3cret",
    "AWS_SESSION_TOKEN": "s3cret",
    "HALLMARK_TRAINING_AWS_SECRET_ACCESS_KEY": "s3cret",
}


def listed(environment: dict[str, str], differing: frozenset[str] = frozenset()) -> dict[str, Setting]:
    return {each.variable: each for each in list_settings(environment, set(differing))}


def test_every_variable_is_listed_with_its_origin() -> None:
    found = listed({"HALLMARK_CONSOLE_PORT": "5000", "AWS_REGION": "eu", "HOME": "/root"})
    assert found.keys() == {each.name for each in (*RUNNER_VARIABLES, *COMMAND_VARIABLES)} | {"AWS_REGION"}
    assert found["HALLMARK_CONSOLE_PORT"][1:3] == ("5000", "environment")
    assert found["HALLMARK_MLFLOW_PORT"][1:3] == ("5000, or a free port", "default")
    assert "](" not in "".join(each.meaning + each.value for each in found.values())


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_is_shown(name: str) -> None:
    setting = listed({name: SECRETS[name]})[name]
    assert "s3cret" not in str(setting) and "***" in setting.value and setting.origin == "environment"


def test_a_path_of_a_secret_is_shown() -> None:
    paths = {"HALLMARK_KEY": "/keys/ada", "RAY_AUTH_TOKEN_PATH": "/keys/token"}
    assert {name: each.value for name, each in listed(paths).items() if name in paths} == paths


def test_a_value_that_is_not_the_runners_is_marked() -> None:
    found = listed({"HALLMARK_WORKERS": "3"}, frozenset({"HALLMARK_WORKERS"}))
    assert [each.variable for each in found.values() if each.differs_from_runner] == ["HALLMARK_WORKERS"]


def test_the_command_prints_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HALLMARK_WORKERS", "3")
    monkeypatch.setenv("HALLMARK_VAULT_KEY", "s3cret")
    for name in ("dvc.yaml", "params.yaml"):
        (tmp_path / name).touch()
    told = hallmark(tmp_path, "settings")
    assert "s3cret" not in told
    assert ["HALLMARK_WORKERS", "3", "environment"] in [line.split() for line in told.splitlines()]
    (workers,) = [each for each in hallmark_json(tmp_path, "settings") if each["variable"] == "HALLMARK_WORKERS"]
    assert workers["value"] == "3" and workers["meaning"] == "processes of the heavy data stages"
