"""Earlier spellings of commands work and tell what to write."""

import json
from pathlib import Path

import pytest

from infra.cli import command_table, old_spellings
from infra.cli.lazy_commands import CommandGroup
from tests.checkouts import Checkouts
from tests.in_process import hallmark


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("console password --as me", "console set-password --as me"),
        ("data inventory --json", "data list --json"),
        ("data where --record 12", "data find --record 12"),
        ("ledger check proof.json", "ledger verify-proof proof.json"),
        ("ledger show", "ledger list"),
        ("ledger show --kind gate --json --last 2", "ledger list --kind gate --json --last 2"),
        ("params --check params.yaml", "params check params.yaml"),
        ("params --governance=folder --check=params.yaml", "params check --governance folder params.yaml"),
        ("params --schema", "params schema"),
        ("releases at 2026-03-03", "releases champion 2026-03-03"),
        ("schedule run-now nightly", "schedule run nightly"),
        ("status a1b2", "runs show a1b2"),
        ("status --json a1b2", "runs show --json a1b2"),
        ("status --json -- a1b2", "runs show --json -- a1b2"),
    ],
)
def test_an_earlier_spelling_is_the_current_one(capsys: pytest.CaptureFixture[str], old: str, new: str) -> None:
    assert old_spellings.replace_old_spelling(old.split()) == new.split()
    assert f"write: hallmark {new}\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    "current",
    [
        "status",
        "status --json",
        "ledger show 42",
        "ledger show --json 42",
        "ledger show --help",
        "ledger show -- 2",
        "data list",
        "params -- --check",
        "params check --check",
        "params check -- --governance=folder",
        "",
    ],
)
def test_a_current_spelling_stays(capsys: pytest.CaptureFixture[str], current: str) -> None:
    assert old_spellings.replace_old_spelling(current.split()) == current.split()
    assert capsys.readouterr().err == ""


def test_each_earlier_spelling_has_a_current_command_and_is_not_listed() -> None:
    for old, new in old_spellings.CURRENT_SPELLINGS.items():
        group, verb = new.split()
        found = command_table.ALL[group]
        assert isinstance(found, CommandGroup) and verb in found.commands and old.split()[1] not in found.commands


def test_an_earlier_spelling_runs(checkouts: Checkouts, tmp_path: Path) -> None:
    project = checkouts.ready(tmp_path / "project")
    assert "valid, use case tiny" in hallmark(project, "params", "--check", "params.yaml")
    assert "properties" in json.loads(hallmark(project, "params", "schema"))
