"""`import hallmark` from a wheel: the documented lines run and have types beside modules of the user's own."""

import ast
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.core import code_digest
from tests import small_install, wheels
from tests.checkouts import Checkouts
from tests.loaded_modules import HEAVY
from tests.patience import patience
from tests.prefect_server import Server
from tests.python_api.page import session

pytestmark = pytest.mark.slow

OWN = ("tasks.py", "flows/__init__.py", "infra/__init__.py")
"""Modules of the user, as Celery, Invoke and many projects name theirs."""
SEES_OWN = "import flows, infra, tasks\nassert {flows.MINE, infra.MINE, tasks.MINE} == {1}\n"
ONLY_OWN_TYPES = """
[mypy]
follow_imports = skip
[mypy-hallmark.*,pydantic.*,pydantic_core.*,typing_extensions.*,annotated_types.*]
follow_imports = normal
"""
"""Settings of mypy, which otherwise reads torch and transformers for a minute."""
TYPES = """
from typing import assert_type
assert_type(run, hallmark.Run)
assert_type(run.status, hallmark.RunStatus)
assert_type(run.facts, dict[str, hallmark.Fact])
assert_type(evidence, hallmark.Evidence)
assert_type(checkout.releases(), list[hallmark.Release])
assert_type(checked, hallmark.Verification)
assert_type(admitted, hallmark.AdmittedModel)
assert_type(answer, str)
"""


@pytest.fixture(scope="module")
def python(shared: Path) -> Path:
    return wheels.environment(shared)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, checkouts: Checkouts) -> Path:
    """Folder of a user, with modules of their own and a checkout with a release."""
    place = tmp_path_factory.mktemp("user")
    for name in OWN:
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text("MINE = 1\n")
    checkouts.released(place / "tiny")
    return place


@pytest.fixture
def prefect(prefect_server: Server, python: Path, folder: Path) -> Iterator[None]:
    with prefect_server.used():
        yield
        subprocess.run([python.with_name("hallmark"), "down"], cwd=folder / "tiny", check=True, capture_output=True)


def run(python: Path, folder: Path, code: str) -> "subprocess.CompletedProcess[str]":
    (folder / "script.py").write_text(code)
    return subprocess.run([python, "script.py"], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.usefixtures("prefect")
def test_the_lines_of_the_page_run_beside_modules_of_these_names(python: Path, folder: Path) -> None:
    code, prints = session()
    done = run(python, folder, SEES_OWN + code)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == prints


def test_mypy_knows_the_types_of_the_page(python: Path, folder: Path) -> None:
    (folder / "mypy.ini").write_text(ONLY_OWN_TYPES)
    (folder / "typed.py").write_text(session().code + TYPES)
    (folder / "mistyped.py").write_text(
        "import hallmark\nhallmark.verify(1, trust_root='')\nhallmark.open('.').request_runs()\nhallmark.nothing\n"
    )
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python)]
    done = subprocess.run([*mypy, "typed.py"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = subprocess.run([*mypy, "mistyped.py"], cwd=folder, capture_output=True, text=True, check=False).stdout
    for line, code in ((2, "arg-type"), (3, "attr-defined"), (4, "attr-defined")):
        assert any(f"mistyped.py:{line}:" in each and f"[{code}]" in each for each in told.splitlines()), told


def test_a_wheel_has_one_package_which_imports_itself_by_that_name(shared: Path) -> None:
    with zipfile.ZipFile(wheels.wheel(shared)) as wheel:
        names = wheel.namelist()
        own = [name for name in names if name.endswith(".py") and not name.startswith("hallmark/source/")]
        found = {name: imported(ast.parse(wheel.read(name))) & {"flows", "infra", "tasks"} for name in own}
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"hallmark"}
    assert {name: tops for name, tops in found.items() if tops} == {}
    assert {"hallmark/py.typed", "hallmark/source/tasks/stages/start.py", "hallmark/infra/console/app.py"} <= set(names)


def imported(tree: ast.Module) -> set[str]:
    """Return the top-level names that a module imports."""
    nodes = list(ast.walk(tree))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    named = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.partition(".")[0] for name in plain + named}


def test_a_release_is_verified_with_the_base_dependencies_alone(python: Path, folder: Path) -> None:
    """Names that need the platform are refused with what to install."""
    absent = small_install.absent()
    root = subprocess.check_output([python.with_name("hallmark"), "identity", "root"], cwd=folder / "tiny", text=True)
    done = run(
        python,
        folder,
        f"AWAY = {absent!r}\n{small_install.ABSENT}\n"
        + "import hallmark\n"
        + f"checked = hallmark.verify('tiny/.hallmark/releases/tiny-1', {root.split()[-1]!r})\n"
        + "print(checked.verdict)\n"
        + "try:\n    hallmark.open('tiny')\nexcept hallmark.Unavailable as error:\n    print(error)\n",
    )
    assert done.returncode == 0, done.stderr
    verdict, error = done.stdout.splitlines()
    assert verdict == "valid"
    assert error.startswith("hallmark.open needs ") and "pip install -c constraints.txt '.[platform]'" in error


def test_importing_takes_a_moment(python: Path, tmp_path: Path) -> None:
    code = (
        "import sys, time\nbegan = time.process_time()\nimport hallmark\nprint(time.process_time() - began)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    seconds, modules = run(python, tmp_path, code).stdout.splitlines()
    assert float(seconds) < patience(0.3)
    assert not set(modules.split()) & (HEAVY | {"cryptography", "pydantic", "sqlalchemy", "typer"})


def test_commands_start_from_a_folder_with_such_modules(python: Path, folder: Path) -> None:
    """The modules end any process that imports them."""
    evil = folder / "evil"
    for name in OWN:
        (evil / name).parent.mkdir(exist_ok=True, parents=True)
        (evil / name).write_text("raise SystemExit('imported')\n")
    given = os.environ | {"HALLMARK_ROOT": str(folder / "tiny")}
    for command in ([python.with_name("hallmark")], [python, "-I", "-m", "hallmark"]):
        done = subprocess.run([*command, "releases", "list"], cwd=evil, env=given, capture_output=True, text=True)
        assert done.returncode == 0 and "tiny-1" in done.stdout, done.stderr


def test_stages_outside_of_runs_have_the_code_of_a_commit(python: Path) -> None:
    """A sweep or a comparison from a wheel computes what a run of the same version would."""
    code = "from hallmark.tasks.scratch import workspace\nprint(workspace.stage_code_digests())\n"
    told = subprocess.check_output([python, "-I", "-c", code], text=True)
    assert ast.literal_eval(told) == code_digest.stage_digests(wheels.ROOT)
