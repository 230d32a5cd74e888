"""Units for systemd: systemd knows every directive, and `hallmark` every command that they execute."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from infra.docs import cli
from tasks.runs.outputs import dvc

UNITS = Path(__file__).parents[2] / "infra" / "systemd"
INSTALLED = "/opt/hallmark/bin/hallmark"
SERVICES = sorted(UNITS.glob("*.service"))
COMMANDS = dict(cli.list_commands())
USAGE_ERROR = typer.BadParameter.__base__
"""Class of all errors in the arguments of a command. typer has it under no name of its own."""
needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")


def verify(folder: Path, *changes: tuple[str, str]) -> str:
    """Return what `systemd-analyze verify` says about the units, with changes of their texts."""
    changes = (*changes, (INSTALLED, str(Path(sys.executable).with_name("hallmark"))))
    for unit in (path for path in UNITS.glob("hallmark*") if path.suffix != ".env"):
        text = unit.read_text()
        for before, after in changes:
            text = text.replace(before, after)
        (folder / unit.name.replace("@.", "@gpu.")).write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", *sorted(folder.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout + done.stderr + f"exit code {done.returncode}\n" * bool(done.returncode)


@needs_systemd
def test_systemd_finds_nothing_wrong_with_a_unit(tmp_path: Path) -> None:
    assert verify(tmp_path) == ""


@needs_systemd
@pytest.mark.parametrize(
    ("before", "after"),
    [("OOMPolicy=", "OOMPolice="), ("KillMode=mixed", "KillMode=mixd"), ("03:30", "33:30"), (INSTALLED, "/nowhere")],
)
def test_systemd_finds_what_is_misspelt(tmp_path: Path, before: str, after: str) -> None:
    assert verify(tmp_path, (before, after)) != ""


def commands(service: str) -> list[list[str]]:
    """Return the arguments of `hallmark` in each command line of a service."""
    lines = re.findall(r"^Exec\w+=(.+)$", service, re.M)
    assert lines and all(INSTALLED in line for line in lines)
    return [shlex.split(part.rstrip("'")) for line in lines for part in line.split(f"{INSTALLED} ")[1:]]


def parse(arguments: list[str]) -> None:
    """Parse the arguments of `hallmark` as the command does.

    Raises:
        USAGE_ERROR: There is no such command, option or value.
    """
    for count in range(len(arguments), 0, -1):
        if command := COMMANDS.get(" ".join(arguments[:count])):
            command.make_context("hallmark", arguments[count:])
            return
    raise USAGE_ERROR(f"no command of {arguments}")


@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)
def test_a_unit_executes_a_command_that_exists(unit: Path) -> None:
    for arguments in commands(unit.read_text()):
        parse(arguments)


@pytest.mark.parametrize(
    "line",
    ["up --foregroud prefect", "up --foreground prefct", "upp", "work", "clean --removed", "backup", "watch now"],
)
def test_a_misspelt_command_is_found(line: str) -> None:
    with pytest.raises(USAGE_ERROR):
        parse(commands(f"[Service]\nExecStart={INSTALLED} {line}\n")[0])


def test_a_unit_waits_for_what_its_command_ends() -> None:
    """The watch, the runs and the server are ended one after another."""
    text = (UNITS / "hallmark-prefect.service").read_text()
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)s$", text, re.M)
    assert int(seconds) > 2 * 15 + dvc.TERMINATION_SECONDS


@pytest.mark.parametrize("unit", [path for path in SERVICES if "OOMPolicy" in path.read_text()], ids=lambda p: p.name)
def test_a_unit_that_executes_stages_hides_no_part_of_proc(unit: Path) -> None:
    """The kernel would refuse the private /proc of a stage's sandbox."""
    hiding = "ProtectKernelTunables|ProtectKernelLogs|ProcSubset|RestrictNamespaces|PrivateDevices"
    assert not re.search(rf"^({hiding})=", unit.read_text(), re.M)


def test_every_unit_is_in_the_tour() -> None:
    tour = (UNITS / "__init__.py").read_text()
    named = {path.name for path in UNITS.iterdir() if path.suffix not in (".py", "")}
    timed = {name for name in named if name.replace(".service", ".timer") in named and name.endswith(".service")}
    assert all(re.search(rf"^    {re.escape(name)} ", tour, re.M) for name in named - timed)
