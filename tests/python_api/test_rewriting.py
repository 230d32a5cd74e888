"""setup.py rewrites imports of own packages for a wheel, and nothing else of a module."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SETUP = Path(__file__).parents[2] / "setup.py"


@pytest.fixture(scope="module")
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_of_the_wheel", SETUP)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("from tasks.core import files", "from hallmark.tasks.core import files"),
        ("from infra import a; from flows.b import c", "from hallmark.infra import a; from hallmark.flows.b import c"),
        ("import tasks.core.files as f, os", "import hallmark.tasks.core.files as f, os"),
        ("if x:\n    from tasks import (\n  a,\n)", "if x:\n    from hallmark.tasks import (\n  a,\n)"),
        ("x = 'ü'; from tasks import core", "x = 'ü'; from hallmark.tasks import core"),
        ("y = importlib.import_module(f'tasks.a.{name}')", "y = importlib.import_module(f'hallmark.tasks.a.{name}')"),
        ("z = import_module('infra.a')", "z = import_module('hallmark.infra.a')"),
    ],
)  # fmt: skip
def test_imports_of_own_packages_are_rewritten(build: ModuleType, source: str, wanted: str) -> None:
    assert build.rewrite_imports(source.encode()).decode() == wanted


@pytest.mark.parametrize(
    "source",
    [
        "from tasks_of_others import a",
        "from . import tasks",
        "from os import path as tasks",
        "import os.path as tasks",
        'STAGE = "tasks.stages.train.train"  # from tasks import nothing',
        '"""import tasks\n\nfrom tasks import core\n"""',
        "import_module(name)\nimport_module('os')\nimport_module('tasks.a' if x else 'tasks.b')",
        "def f(tasks):\n    return tasks.core",
    ],
)
def test_everything_else_stays(build: ModuleType, source: str) -> None:
    assert build.rewrite_imports(source.encode()).decode() == source


def test_a_statement_that_binds_a_top_level_name_is_refused(build: ModuleType) -> None:
    with pytest.raises(ValueError, match=r"line 2: write `from … import`: `import tasks\.core` binds a name"):
        build.rewrite_imports(b"\nimport tasks.core")
