"""A stage runs the sources of its worktree, and nothing else that lies there or that the environment names."""

import os
import py_compile
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.core.layout import Layout
from tasks.runs.outputs import dvc
from tasks.stages import start
from tests.dvc_stages import run_of

STAGES = """
stages:
  look:
    cmd: python -I tasks/stages/start.py look
    always_changed: true
"""
MAIN = """
import json
import multiprocessing
import platform
import sys
from concurrent.futures import ProcessPoolExecutor


def main():
    from tasks.told import told

    print("HERE", told(), flush=True)
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        print("THERE", pool.submit(told).result(), flush=True)
    return 0
"""
TOLD = """
import numpy
import json


def told():
    return "the source"
"""
EVIL = "import pathlib; pathlib.Path('evil of {}').touch()\n"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return importing_run(tmp_path)


def importing_run(home: Path) -> Layout:
    """A run whose one stage imports things, here and in a process of its own."""
    layout = run_of(home, STAGES)
    own = layout.root / "tasks"
    (own / "stages").mkdir(parents=True)
    shutil.copy(start.__file__, own / "stages")
    for name, text in {"__init__": "", "stages/__init__": "", "stages/__main__": MAIN, "told": TOLD}.items():
        (own / f"{name}.py").write_text(text)
    return layout


Plant = Callable[[Layout, str], None]
"""Plants what leaves a file `evil of NAME` once it runs."""


def module(path: str) -> Plant:
    def plant(layout: Layout, name: str) -> None:
        file = layout.root / f"{path}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(EVIL.format(name))

    return plant


def default_bytecode(source: Path) -> Path:
    """Return the path at which Python looks for a source file's bytecode by default."""
    return source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"


def bytecode(layout: Layout, name: str) -> None:
    """Beside a source that is as it was. Of this kind Python does not even compare size and time."""
    source = layout.root / "tasks" / "told.py"
    honest = source.read_text()
    source.write_text(EVIL.format(name) + honest)
    cached = default_bytecode(source)
    cached.parent.mkdir(exist_ok=True)
    py_compile.compile(
        str(source), cfile=str(cached), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH, doraise=True
    )
    source.write_text(honest)


def variable(layout: Layout, name: str) -> None:
    """A variable by which Python, or the shell that DVC starts, runs a file."""
    folder = layout.state / "planted"
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("sitecustomize.py", "json.py", "numpy.py"):
        (folder / file).write_text(EVIL.format("PYTHONPATH"))
    (folder / "script.sh").write_text("touch 'evil of BASH_ENV'\n")
    os.environ[name] = str({"PYTHONPATH": folder, "BASH_ENV": folder / "script.sh"}[name])


PLANTED: dict[str, Plant] = {
    "sitecustomize": module("sitecustomize"),
    "usercustomize": module("usercustomize"),
    "a module of the standard library": module("json"),
    "a package that is installed": module("numpy/__init__"),
    "DVC itself": module("dvc/__init__"),
    "bytecode": bytecode,
    "PYTHONPATH": variable,
    "BASH_ENV": variable,
}


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Layout, list[str]]:
    """A run among all that is planted, and what its stage printed."""
    layout, heard = importing_run(tmp_path_factory.mktemp("attacked")), list[str]()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PYTHONPATH", "BASH_ENV"):  # put back afterwards, whatever is planted
            patch.setenv(name, "")
        for name, plant in PLANTED.items():
            plant(layout, name)
        dvc.repro(layout, "look", heard.append)
    return layout, heard


@pytest.mark.attack(rights="worker", stopped="a stage starts isolated, from the sources of its worktree")
@pytest.mark.parametrize("planted", PLANTED)
def test_nothing_that_lies_about_runs_in_a_stage(attacked: tuple[Layout, list[str]], planted: str) -> None:
    layout, heard = attacked
    assert [line for line in heard if line.startswith(("HERE", "THERE"))] == ["HERE the source", "THERE the source"]
    assert not (layout.root / f"evil of {planted}").exists()


def test_a_stage_leaves_no_bytecode(attacked: tuple[Layout, list[str]]) -> None:
    layout, _ = attacked
    planted = default_bytecode(layout.root / "tasks" / "told.py")
    assert list(layout.root.rglob("*.pyc")) == [planted]


@pytest.mark.attack(rights="worker", stopped="a stage starts isolated, from the sources of its worktree")
@pytest.mark.parametrize("left", ["told.pyc", "told.cpython-311-x86_64-linux-gnu.so", "elsewhere"])
def test_what_has_no_source_in_the_worktree_is_not_found(layout: Layout, left: str) -> None:
    """Neither as bytecode without a source, nor as a library, nor in the Hallmark that is installed."""
    source = layout.root / "tasks" / "told.py"
    if left == "told.pyc":
        py_compile.compile(str(source), cfile=str(source.with_name(left)), doraise=True)
    elif left != "elsewhere":
        source.with_name(left).write_bytes(b"\x7fELF")
    source.unlink()
    command = [sys.executable, "-I", "tasks/stages/start.py", "look"]
    done = subprocess.run(command, cwd=layout.root, capture_output=True, text=True)
    assert done.returncode == 1 and "has no source of tasks.told" in done.stderr


def test_a_worker_of_ray_starts_by_it(tmp_path: Path) -> None:
    script = tmp_path / "worker.py"
    script.write_text("import sys, tasks; print(sys.argv[1:], sys.flags.isolated, tasks.__spec__.loader)")
    command = [sys.executable, "-I", start.__file__, "-s", str(script), "--one"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("['--one'] 1 <") and "UncachedLoader object" in done.stdout
