"""Every command that reads the ledger or governance asks for the right root of trust, and tells a changed ledger."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from typer.main import get_command

import infra.cli
from infra.cli import command_table
from infra.cli.lazy_commands import Command, CommandGroup
from tasks.policy import root_of_trust
from tests.checkouts import Checkouts
from tests.copies import copy_tree
from tests.in_process import hallmark
from tests.infra.test_gates import ask, bring_keys
from tests.ledger_tampering import change_entry

ITSELF = {
    "init": "makes the ledger",
    "new": "writes files alone",
    "up": "serves what asks the ledger each time",
    "down": "stops that",
    "watch": "serves what asks the ledger each time",
    "console start": "serves what asks the ledger each time",
    "console stop": "stops that",
    "console revoke": "asks none",
    "doctor": "says what is wrong with the ledger among all else",
    "advise": "asks none",
    "settings": "asks none",
    "preflight": "asks none",
    "params check": "asks none",
    "params schema": "asks none",
    "identity create": "changes people.yaml alone",
    "identity import": "changes people.yaml alone",
    "identity revoke": "changes people.yaml alone",
    "identity root": "prints the root of trust, and compares it",
    "runs stop": "ends a process, and writes nothing",
    "serve up": "goes on with what was admitted last, if the ledger is away or was changed",
    "serve down": "stops that",
    "serve status": "asks the gateway",
    "serve add-key": "asks none",
    "serve keys": "asks none",
    "serve revoke-key": "asks none",
    "restore": "puts a ledger where there is none, and verifies it",
    "policy check": "is about files",
    "policy test": "is about files",
    "policy adopt": "may be the first, and looks at the ledger under the policy that it replaces",
    "ledger verify": "looks at everything",
    "ledger verify-proof": "is about a file",
    "releases verify": "is about a folder",
    "releases admit": "goes on with what was admitted last, if the ledger is away or was changed",
}
"""Verbs that no look precedes, each with its reason; any other is looked at, a new one too."""
STILL = ["identity root", "policy adopt infra/governance", "ledger verify", "releases admit x"]
"""Of those the ones that take the root of trust from this checkout."""
ALONE = {"status", "releases list", "gates list", "gates list --all", "incidents list", "ledger list", "policy show",
         "identity list", "data list", "runs list", "labels status", "teams", "suites list"}  # fmt: skip
"""Commands that show something when nothing else is said."""

DATES = {"expires", "as_of", "deadline"}


def every_verb() -> Iterator[tuple[str, Command]]:
    for name, one in command_table.ALL.items():
        if isinstance(one, CommandGroup):
            yield from ((f"{name} {below}", verb) for below, verb in one.commands.items())
        else:
            yield name, one


LOOKED_AT = {name: verb for name, verb in every_verb() if verb.ledger != "itself"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    folder = checkouts.ready(tmp_path_factory.mktemp("made") / "project")
    bring_keys(folder)
    ask(folder)
    hallmark(folder, "ledger", "publish")
    return folder


@pytest.fixture
def project(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HALLMARK_ROOT", str(made))
    monkeypatch.chdir(made)
    return made


@pytest.fixture(scope="module")
def tampered(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the last row of the ledger changed, by somebody who mended everything beside it."""
    folder = copy_tree(made, tmp_path_factory.mktemp("tampered") / "project")
    change_entry(folder / ".hallmark" / "ledger.db", 2)
    return folder


@pytest.fixture
def changed(tampered: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same as the checkout of commands, none of which writes into it."""
    monkeypatch.setenv("HALLMARK_ROOT", str(tampered))
    monkeypatch.chdir(tampered)
    return tampered


def call(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> int:
    monkeypatch.setattr(sys, "argv", ["hallmark", *command])
    with pytest.raises(SystemExit) as ended:
        infra.cli.main()
    return cast(int, ended.value.code)


def arguments(name: str) -> list[str]:
    """A command with something for everything that it has to be given."""
    command: Any = get_command(infra.cli.app)
    for part in name.split():
        command = command.commands[part]
    given = name.split()
    for param in command.params:
        if param.required:
            text = "2026-01-01" if param.name in DATES else {"entry": "1", "form": "merged"}.get(param.name, "x")
            given += [text] if param.param_type_name == "argument" else [param.opts[0], text]
    return given


def test_the_verbs_that_no_look_precedes_are_these() -> None:
    assert {name for name, verb in every_verb() if verb.ledger == "itself"} == set(ITSELF)
    assert {name.removesuffix(" --all") for name in ALONE} <= LOOKED_AT.keys()


@pytest.mark.parametrize("command", [*LOOKED_AT, *STILL])
def test_with_another_root_of_trust_nothing_is_told(
    project: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(root_of_trust.ROOT_VARIABLE, "SHA256:" + "A" * 43)
    given = arguments(command) if command in LOOKED_AT else command.split()
    code, told = call(monkeypatch, given), capsys.readouterr()
    assert code == 2, told
    assert root_of_trust.ROOT_VARIABLE in told.err and not told.out


@pytest.mark.parametrize("command", [*LOOKED_AT, *ALONE - LOOKED_AT.keys()])
def test_a_changed_ledger_is_told(
    changed: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = command.split() if command in ALONE else arguments(command)
    code, told = call(monkeypatch, given), capsys.readouterr()
    assert "the ledger was changed by hand" in told.err and "hallmark ledger verify" in told.err, told
    if command in ALONE:
        assert code == 1 and told.out
    elif LOOKED_AT[command].ledger == "acts":
        assert code == 1 and not told.out
    assert code


@pytest.mark.attack(rights="database", stopped="who acts looks at the ledger first, under the signed head")
@pytest.mark.parametrize(
    "command",
    ["policy adopt infra/governance --dry-run", "policy adopt infra/governance --as risk-officer", "releases admit x"],
)
def test_what_looks_itself_does_nothing_on_a_changed_ledger(
    changed: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, command.split()) == 1
    assert "So nothing is done on it" in capsys.readouterr().err


@pytest.mark.parametrize("command", sorted(ALONE))
def test_under_json_the_document_stays_whole(
    changed: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, [*command.split(), "--json"]) == 1
    json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("command", sorted(ALONE))
def test_a_ledger_that_nobody_changed_is_told_nothing_of(
    project: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, command.split()) == 0
    assert "changed" not in capsys.readouterr().err
