"""Checkout with the files that ship, and the commands of README and guides, executed in it verbatim.

The documents describe the files of the repository. A command that is tested with other parameters or another policy may
be broken for every user.
"""

import os
import re
import shlex
import subprocess
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

import typer

from tasks.core.documents import config
from tasks.core.steps.data import DATA_STAGES
from tasks.runs import run
from tasks.runs.request import RunRequest
from tasks.runs.requests.signed_requests import Envelope
from tasks.runs.run import Run
from tasks.stages.data.ingest import pool
from tests.in_process import hallmark
from tests.tiny_project import ROOT, copy_shipped, git, start_history

PROMPT = "$ "


def make_stock_checkout(folder: Path) -> Path:
    """Write the files of the repository to `folder` and commit them. Returns `folder`."""
    copy_shipped(folder, "params.yaml", "examples")
    start_history(folder, "As it ships")
    for key, value in (("user.name", "user"), ("user.email", "user@example.invalid")):
        git(folder, "config", key, value)
    return folder


def recipe(target: str) -> list[str]:
    """Return the `hallmark` commands of a target of the Makefile."""
    _, _, rest = (ROOT / "Makefile").read_text().partition(f"\n{target}:")
    lines = re.match(r".*\n((?:\t.*\n)+)", rest)
    assert lines, f"the Makefile has no target {target}"
    return [line.split("$(BIN)/", 1)[1] for line in lines[1].splitlines() if "$(BIN)/hallmark" in line.split(" ")[0]]


def blocks(document: str) -> list[str]:
    """Return the code blocks without a language in a document, with continued lines joined."""
    text = re.sub(r"\\\n\s*", "", (ROOT / document).read_text())
    return re.findall(r"^```\n(.*?)^```", text, re.M | re.S)


def typed(block: str) -> list[tuple[str, list[str]]]:
    """Return the commands after a prompt in a block, each with the lines of output that the block shows."""
    found: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith(PROMPT):
            found.append((line.removeprefix(PROMPT), []))
        elif found and line.strip():
            found[-1][1].append(line)
    return found


def type_in(project: Path, command: str) -> str:
    """Run a command line in the checkout and return its output; `hallmark` runs in this process, others in a shell."""
    if command.startswith("hallmark "):
        return hallmark(project, *shlex.split(command)[1:])
    done = subprocess.run(command, shell=True, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def run_asked_for(project: Path, command: str) -> Run:
    """Return the run that a command line `hallmark run ...` requests, created as by the flow but without Prefect."""
    made: list[Run] = []

    def begin(where: Path, request: RunRequest, envelope: Envelope, *_: object) -> None:
        made.append(run.create_run(where, request, envelope))
        raise typer.Exit

    with patch("infra.cli.run._start_run", begin):
        type_in(project, command)
    return made[0]


def take_through_data(asked: Run) -> Run:
    """Execute all stages of data in this process with the run's parameters, and return the run."""
    with patch.dict(os.environ, {pool.WORKERS_VARIABLE: "1"}):
        for stage in DATA_STAGES:
            module = import_module(stage.module_name)
            module.run(config.load_known_sections(asked.layout.params_path, module.Params), asked.layout)
    return asked
