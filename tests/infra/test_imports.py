"""A command loads what it needs: to list commands takes no library, to look at a gate none that trains or serves."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.cli import command_table
from infra.cli.lazy_commands import Command, CommandGroup
from tasks.core.params.evaluation import Evaluation
from tasks.stages.evaluate import models
from tests.forking import Forking, importing
from tests.in_process import hallmark
from tests.infra.test_gates import RUN, ask, bring_keys
from tests.loaded_modules import HEAVY, ROOT, loaded

NEEDED_BY_MOST = {"cryptography", "rich", "securesystemslib", "sqlalchemy"}
LISTS = {"": command_table.ALL} | {
    name: found.commands for name, found in command_table.ALL.items() if isinstance(found, CommandGroup)
}


@pytest.fixture(scope="module")
def project(project: Path) -> Path:
    """With a gate that waits, and a head of the ledger."""
    bring_keys(project)
    ask(project)
    hallmark(project, "ledger", "publish")
    return project


@pytest.fixture(scope="module")
def started() -> Iterator[Forking]:
    """Processes in which `infra.cli` is imported and nothing else: what that loads counts for each command."""
    with importing("infra.cli") as forking:
        yield forking


@pytest.mark.parametrize("group", LISTS)
def test_listing_commands_loads_none_of_them(started: Forking, group: str) -> None:
    assert not loaded(*group.split(), "--help", by=started) & (HEAVY | NEEDED_BY_MOST)


@pytest.mark.parametrize(
    "command", ["gates list", f"gates show {RUN} release", "ledger verify", "ledger prove 1", "status", "policy show"]
)
def test_looking_loads_no_library_of_data_training_or_the_registry(
    started: Forking, project: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("HALLMARK_ROOT", str(project))
    assert loaded(*command.split(), by=started) & (HEAVY | {"sqlalchemy"}) <= {"sqlalchemy"}


@pytest.mark.parametrize("command", ["identity root", "params check params.yaml", "gates approve --help"])
def test_what_asks_no_ledger_loads_no_database(
    started: Forking, project: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("HALLMARK_ROOT", str(project))
    assert not loaded(*command.split(), by=started) & (HEAVY | {"sqlalchemy"})


ALL_VERBS = """
import sys
from typer.main import get_command
from infra.cli import app
for one in get_command(app).commands.values():
    list(getattr(one, "commands", {}).values())
print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""


def test_no_verb_loads_mlflow_prefect_ray_or_torch_before_it_runs(started: Forking) -> None:
    """One that needs them imports them once it knows that."""
    assert not loaded(code=ALL_VERBS, by=started) & (HEAVY - {"numpy", "pyarrow"})


@pytest.mark.parametrize("group", LISTS)
def test_the_list_of_commands_is_complete_and_each_is_told_in_a_line(project: Path, group: str) -> None:
    _, _, told = hallmark(project, *group.split(), "--help").partition("exit.\n")
    wanted = [f"{name} {one.help}" for name, one in LISTS[group].items()]
    listed = [line for line in told.splitlines() if line.startswith("  ")]
    assert [re.sub(" +", " ", line.strip()) for line in listed] == wanted
    assert all(len(line) < 80 for line in told.splitlines())


def test_a_verb_of_every_module_is_in_the_list() -> None:
    """So that a function that was written as a verb is not forgotten."""
    listed = {one.target for found in LISTS.values() for one in found.values() if isinstance(one, Command)}
    written = set()
    for path in (ROOT / "infra" / "cli").rglob("*.py"):
        module = ".".join(path.relative_to(ROOT / "infra" / "cli").with_suffix("").parts)
        text = path.read_text()
        written |= {
            f"{module}:{name}"
            for name in re.findall(r'^def (\w+)\((?:(?!^def ).)*?"""(?:(?!""").)*?Example: hallmark', text, re.S | re.M)
        }
    assert written == listed


def test_a_run_that_answers_on_processors_is_asked_for_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    models.require_device(Evaluation.model_construct(device="cpu"))
    with pytest.raises(ModuleNotFoundError, match="torch"):
        models.require_device(Evaluation.model_construct(device="gpu"))


def test_who_supervises_a_stage_loads_nothing_that_only_stages_need() -> None:
    code = "import sys; import tasks.supervise.shell; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & (HEAVY | {"sqlalchemy"})
